"""`stop_gradient` ends derivatives in every mode, order and nesting."""

from __future__ import annotations

import numpy as np

import portanet as pn

X = np.asarray([0.3, -0.7, 1.2])
V = np.asarray([0.5, -1.0, 2.0])


def assert_close(backend, actual, expected):
    np.testing.assert_allclose(backend.to_numpy(actual), expected, rtol=1e-12, atol=1e-12)


def test_both_modes_and_second_order(backend):
    xp = backend.xp
    x, v = backend.asarray(X), backend.asarray(V)
    f = lambda x: xp.sum(x * x * pn.stop_gradient(x * x))  # noqa: E731
    assert_close(backend, pn.grad(f)(x), 2 * X**3)
    assert_close(backend, pn.jvp(f, (x,), (v,))[1], np.sum(2 * X**3 * V))
    assert_close(backend, pn.hvp(f, x, v), 2 * X**2 * V)
    assert_close(backend, pn.grad(lambda x: xp.sum(pn.grad(f)(x)))(x), 2 * X**2)


def test_the_variable_of_an_outer_derivative_is_stopped_too(backend):
    xp = backend.xp
    x, v = backend.asarray(X), backend.asarray(V)

    def outer(w):
        return xp.sum(pn.grad(lambda x: xp.sum(x * w * pn.stop_gradient(w)))(x))

    assert_close(backend, pn.grad(outer)(x), X)
    assert_close(backend, pn.jvp(outer, (x,), (v,))[1], np.sum(X * V))

    def pushed(w):
        return pn.jvp(lambda x: x * w * pn.stop_gradient(w), (x,), (v,))[1]

    assert_close(backend, pn.jvp(pushed, (x,), (v,))[1], X * V * V)


def test_trees(backend):
    xp = backend.xp
    tree = {"w": backend.asarray(X), "i": backend.asarray(np.asarray([1, 2])), "n": 3, "s": "s"}

    def f(x):
        stopped = pn.stop_gradient({**tree, "w": x, "none": None})
        assert (stopped["n"], stopped["s"], stopped["none"]) == (3, "s", None)
        return xp.sum(stopped["w"] * x)

    assert_close(backend, pn.grad(f)(tree["w"]), X)
    w = pn.Param(tree["w"])
    gradients = pn.gradient(lambda: xp.sum(w * pn.stop_gradient((w,))[0]), pn.params(w))
    assert_close(backend, gradients[w], X)
