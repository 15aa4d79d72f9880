"""`linearize`: one run, then any number of directions."""

from __future__ import annotations

import numpy as np
import pytest

import portanet as pn
from portanet.errors import ArgumentError, DTypeError, ParameterTreeError, ShapeError

X = np.asarray([0.3, -0.7, 1.2])
W = np.asarray([1.1, 0.6, -0.8])
V = np.asarray([0.5, -1.0, 2.0])


def assert_close(backend, actual, expected, tolerance=1e-12):
    assert backend.adapter.dtype_name(actual.dtype) == "float64"
    found = backend.to_numpy(actual)
    assert found.shape == np.shape(expected)
    np.testing.assert_allclose(found, expected, rtol=tolerance, atol=tolerance)


def test_value_and_map(backend):
    xp = backend.xp
    x, w, v = map(backend.asarray, (X, W, V))
    value, push = pn.linearize(lambda x, w: xp.sin(x * w), x, w)
    assert_close(backend, value, np.sin(X * W))
    assert_close(backend, push(v, xp.zeros_like(v)), np.cos(X * W) * W * V)
    assert_close(backend, push(xp.zeros_like(v), v), np.cos(X * W) * X * V)
    assert_close(backend, push(v, v), np.cos(X * W) * (W + X) * V)


def test_trees_and_outputs_without_derivative(backend):
    xp = backend.xp
    p = {"w": backend.asarray(W)}

    def f(p, c):
        y = p["w"] ** 2
        return {"y": y, "top": xp.argmax(y), "name": "n", "constant": backend.asarray(X), "c": c}

    value, push = pn.linearize(f, p, backend.asarray(np.asarray(2.0)))
    tangent = push({"w": backend.asarray(V)}, backend.asarray(np.asarray(1.0)))
    assert value["name"] == tangent["name"] == "n"
    assert_close(backend, tangent["y"], 2 * W * V)
    assert_close(backend, tangent["constant"], np.zeros(3))
    assert_close(backend, tangent["c"], 1.0)
    assert int(backend.to_numpy(tangent["top"])) == 0


def test_the_function_runs_once(backend):
    calls = []

    def f(x):
        calls.append(1)
        return backend.xp.exp(x)

    x = backend.asarray(X)
    _, push = pn.linearize(f, x)
    for i in range(3):
        direction = np.eye(3)[i]
        assert_close(backend, push(backend.asarray(direction)), np.exp(X) * direction)
    assert len(calls) == 1


def test_complex(backend):
    z, v = X + 1j * W, V * (1 - 2j)
    _, push = pn.linearize(lambda z: z * z, backend.asarray(z))
    np.testing.assert_allclose(backend.to_numpy(push(backend.asarray(v))), 2 * z * v, rtol=1e-12)
    _, push = pn.linearize(lambda z: backend.xp.real(z * backend.xp.conj(z)), backend.asarray(z))
    found = backend.to_numpy(push(backend.asarray(v)))
    np.testing.assert_allclose(found, 2 * np.real(np.conj(z) * v), rtol=1e-12)


def test_inside_other_derivatives(backend):
    xp = backend.xp
    x, v = backend.asarray(X), backend.asarray(V)
    f = lambda x: pn.linearize(xp.sin, x)[1](v)  # noqa: E731
    assert_close(backend, pn.grad(lambda x: xp.sum(f(x)))(x), -np.sin(X) * V)
    assert_close(backend, pn.jvp(f, (x,), (v,))[1], -np.sin(X) * V * V)
    gradient = pn.grad(lambda x: xp.sum(xp.sin(x)))
    assert_close(backend, pn.linearize(gradient, x)[1](v), -np.sin(X) * V)
    push = pn.linearize(xp.sin, x)[1]
    assert_close(backend, pn.grad(lambda v: xp.sum(push(v)))(v), np.cos(X))


def test_float32_stays_float32(backend):
    x = backend.asarray(X.astype(np.float32))
    value, push = pn.linearize(backend.xp.tanh, x)
    assert value.dtype == push(x).dtype == x.dtype


def test_refusals(backend):
    x = backend.asarray(X)
    with pytest.raises(ArgumentError, match="linearize differentiates a function, not int"):
        pn.linearize(3, x)  # pyright: ignore
    with pytest.raises(DTypeError, match="only floating-point arrays"):
        pn.linearize(lambda x: x, backend.asarray(np.asarray([1, 2])))
    _, push = pn.linearize(lambda x: x, x)
    with pytest.raises(ShapeError, match=r"tangents.0: shape \(2,\) != \(3,\)"):
        push(x[:2])
    with pytest.raises(ParameterTreeError, match="tangents"):
        push(x, x)
