"""Derivatives inside derivatives: every order and mixture of modes, and no confusion of them."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

import portanet as pn

X = np.asarray([0.4, -1.1, 0.7])
V = np.asarray([1.0, 0.5, -2.0])


def close(backend, actual, expected, rtol=1e-11):
    host = backend.to_numpy(actual)
    assert host.dtype == np.float64
    np.testing.assert_allclose(host, expected, rtol=rtol, atol=1e-13)


def reverse(function, v):
    """The derivative along v as a function of x, by reverse mode."""

    def derivative(x):
        _, pullback = pn.vjp(function, x)
        xp = pn.array_namespace(x)
        return xp.sum(pullback(xp.ones_like(function(x)))[0] * v)

    return derivative


def forward(function, v):
    return lambda x: pn.jvp(function, (x,), (v,))[1]


@pytest.mark.parametrize(
    "modes",
    [m for n in (1, 2, 3) for m in itertools.product((forward, reverse), repeat=n)]
    + [(forward, reverse, reverse, reverse), (reverse, forward, reverse, forward)],
    ids=lambda modes: " over ".join(mode.__name__ for mode in modes[::-1]),
)
def test_every_mixture_of_modes(backend, modes):
    """The n-th derivative of sum(sin(x)) + prod(x) along v, against torch's by reverse mode."""
    torch = pytest.importorskip("torch")
    if backend.name == "jax" and len(modes) > 2:
        pytest.skip("JAX takes long to compile these")
    xp = backend.xp
    ours, theirs = lambda x: xp.sum(xp.sin(x)) + xp.prod(x), lambda x: x.sin().sum() + x.prod()
    v = torch.tensor(V)
    for mode in modes:
        ours = mode(ours, backend.asarray(V))
        theirs = _along(torch.func.grad(theirs), v)
    close(backend, ours(backend.asarray(X)), theirs(torch.tensor(X)).numpy())


def _along(gradient, v):
    return lambda x: (gradient(x) * v).sum()


def test_forward_over_reverse_over_reverse(backend):
    """The third derivative of x0 sum(x**4), contracted with v twice."""
    xp, x, v = backend.xp, backend.asarray(X), backend.asarray(V)
    twice = pn.grad(lambda x: xp.sum(pn.grad(lambda x: xp.sum(x**4 * x[0]))(x) * v))
    _, tangent = pn.jvp(twice, (x,), (v,))
    close(backend, tangent, _third(X, V))


def _third(x, v):
    """Third derivative tensor of x0 sum(x**4) contracted with v twice, written out."""
    result = 24 * x[0] * x * v**2 + 2 * v[0] * 12 * x**2 * v
    result[0] += np.sum(12 * x**2 * v**2)
    return result


class TestPerturbations:
    """The classic d/dx (x * d/dy (x + y)) is 1, in every pair of modes; a confused one says 2."""

    @pytest.mark.parametrize("outer", ["grad", "derivative"])
    @pytest.mark.parametrize("inner", ["grad", "derivative"])
    def test_the_classic(self, backend, outer, inner):
        outer, inner = getattr(pn, outer), getattr(pn, inner)
        one = backend.asarray(np.asarray(1.0))
        close(backend, outer(lambda x: x * inner(lambda y: x + y)(one))(one), 1.0)

    @pytest.mark.parametrize("outer", ["grad", "derivative"])
    @pytest.mark.parametrize("inner", ["grad", "derivative"])
    def test_at_the_outer_variable(self, backend, outer, inner):
        """d/dx (x * [d/dy (x * y)] at y = x) = d/dx (x * x) = 2 x."""
        outer, inner = getattr(pn, outer), getattr(pn, inner)
        three = backend.asarray(np.asarray(3.0))
        close(backend, outer(lambda x: x * inner(lambda y: x * y)(x))(three), 6.0)

    @pytest.mark.parametrize("inner", ["grad", "derivative"])
    def test_three_levels(self, backend, inner):
        """d/dx x * d/dy (y * d/dz (x y z)) = d/dx x * 2 x y = 4 x y at y = 1, z = 1."""
        d, one = getattr(pn, inner), backend.asarray(np.asarray(1.0))
        two = backend.asarray(np.asarray(2.0))

        def function(x):
            return x * d(lambda y: y * d(lambda z: x * y * z)(one))(one)

        close(backend, pn.grad(function)(two), 8.0)

    def test_a_closure_that_escapes(self, backend):
        """A function made under one derivative and differentiated under another."""
        one = backend.asarray(np.asarray(1.0))

        def outer(x):
            return pn.grad(lambda y: x * y)  # a function that holds x

        value = pn.grad(lambda x: pn.grad(lambda t: outer(x * t)(one) * t)(one))(one)
        close(backend, value, 2.0)

    def test_a_constant_of_the_inner_function(self, backend):
        xp, x = backend.xp, backend.asarray(X)
        gradient = pn.grad(lambda x: xp.sum(pn.grad(lambda y: xp.sum(x * x))(x)))(x)
        close(backend, gradient, np.zeros(3))


class TestMixtures:
    def test_jacobian_of_a_gradient_of_a_jvp(self, backend):
        xp, x, v = backend.xp, backend.asarray(X), backend.asarray(V)
        along = pn.grad(lambda x: pn.jvp(lambda x: xp.sum(x**4), (x,), (v,))[1])
        close(backend, pn.jacobian(along)(x), np.diag(24 * X * V))

    def test_pullback_used_inside_another_derivative(self, backend):
        x, v = backend.asarray(X), backend.asarray(V)
        _, pullback = pn.vjp(lambda x: x**3, x)
        xp, slope = backend.xp, 3 * X**2
        close(backend, pn.grad(lambda u: xp.sum(pullback(u)[0] ** 2))(v), 2 * slope**2 * V)
        close(backend, pn.jvp(lambda u: pullback(u)[0], (v,), (v,))[1], slope * V)

    def test_a_physics_informed_loss(self, backend):
        """Gradient by parameters of a loss with two derivatives in the input: by differences."""
        xp = backend.xp
        rng = np.random.default_rng(0)
        points, w, b = rng.normal(size=4), rng.normal(size=5), rng.normal(size=5)

        def residual(ps, t):
            def u(t):
                return xp.sum(xp.tanh(ps["w"] * t + ps["b"]))

            return pn.derivative(pn.derivative(u))(t) + u(t)

        ts = [backend.asarray(np.asarray(t)) for t in points]

        def loss(ps):
            return xp.mean(xp.stack([residual(ps, t) ** 2 for t in ts]))

        gradient = pn.grad(loss)({"w": backend.asarray(w), "b": backend.asarray(b)})

        def host(w, b):
            h = np.tanh(np.multiply.outer(points, w) + b)
            return np.mean(np.sum(-2 * h * (1 - h**2) * w**2 + h, axis=1) ** 2)

        for i, step in enumerate(np.eye(5) * 1e-6):
            by_w = (host(w + step, b) - host(w - step, b)) / 2e-6
            by_b = (host(w, b + step) - host(w, b - step)) / 2e-6
            assert backend.to_numpy(gradient["w"])[i] == pytest.approx(by_w, rel=1e-6, abs=1e-8)
            assert backend.to_numpy(gradient["b"])[i] == pytest.approx(by_b, rel=1e-6, abs=1e-8)

    def test_what_comes_out_is_plain(self, backend):
        """An inner derivative at a constant leaves no trace on what the outer one returns."""
        xp, x, v = backend.xp, backend.asarray(X), backend.asarray(V)

        def loss(p):
            return xp.sum(pn.grad(lambda x: xp.sum(p * x**3))(x) ** 2)

        value, gradient = pn.value_and_grad(loss)(v)
        _, tangent = pn.jvp(loss, (v,), (v,))
        for found in (value, gradient, tangent):
            assert backend.to_numpy(found).dtype == np.float64
            assert not getattr(found, "requires_grad", False)
        close(backend, gradient, 18 * V * X**4)
