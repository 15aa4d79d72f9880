"""Primitives that were made for HIPS autograd, inside portanet's derivatives on NumPy."""

from __future__ import annotations

import autograd
import autograd.numpy as anp
import autograd.scipy.special as special
import autograd.scipy.stats.norm as norm
import numpy as np
import pytest
import scipy.special
from autograd import builtins
from autograd.extend import defjvp, defvjp, primitive
from autograd.misc import flatten
from autograd.scipy.integrate import odeint

import portanet as pn
from portanet.errors import NoDerivativeError, TracedValueError

X = np.array([1.5, 2.5, 0.3])
V = np.array([0.2, -1.0, 0.7])


@primitive
def cube(x):
    """A function whose body no tape can follow: it writes into an array."""
    y = np.empty_like(x)
    y[...] = x * x * x
    return y


defvjp(cube, lambda ans, x: lambda g: g * 3 * x * x)
defjvp(cube, lambda t, ans, x: t * 3 * x * x)


@primitive
def opaque(x):
    return np.empty_like(x) * 0 + x


def gamma_energy(x):
    return (special.gammaln(x) * x).sum()


GAMMA_GRADIENT = scipy.special.gammaln(X) + X * scipy.special.digamma(X)
GAMMA_HESSIAN = np.diag(2 * scipy.special.digamma(X) + X * scipy.special.polygamma(1, X))


class TestDerivatives:
    def test_gradient_of_autograd_scipy(self):
        np.testing.assert_allclose(pn.grad(gamma_energy)(X), GAMMA_GRADIENT, rtol=1e-13)

    def test_forward_mode(self):
        value, tangent = pn.jvp(gamma_energy, (X,), (V,))
        np.testing.assert_allclose(tangent, GAMMA_GRADIENT @ V, rtol=1e-13)
        np.testing.assert_allclose(value, gamma_energy(X), rtol=1e-15)

    def test_second_order(self):
        np.testing.assert_allclose(pn.hessian(gamma_energy)(X), GAMMA_HESSIAN, rtol=1e-12)
        np.testing.assert_allclose(pn.hvp(gamma_energy, X, V), GAMMA_HESSIAN @ V, rtol=1e-12)

    def test_a_primitive_of_the_users_own(self):
        np.testing.assert_allclose(pn.grad(lambda x: cube(2 * x).sum())(X), 24 * X**2, rtol=1e-14)
        np.testing.assert_allclose(
            pn.hessian(lambda x: cube(2 * x).sum())(X), np.diag(48 * X), rtol=1e-13
        )
        np.testing.assert_allclose(pn.jvp(cube, (X,), (V,))[1], 3 * X**2 * V, rtol=1e-14)

    def test_forward_mode_without_a_forward_rule(self):
        @primitive
        def square(x):
            return np.array([v * v for v in x])

        defvjp(square, lambda ans, x: lambda g: 2 * x * g)
        np.testing.assert_allclose(pn.jvp(square, (X,), (V,))[1], 2 * X * V, rtol=1e-14)
        second = pn.jvp(lambda x: pn.jvp(square, (x,), (V,))[1], (X,), (V,))[1]
        np.testing.assert_allclose(second, 2 * V * V, rtol=1e-13)

    def test_several_arguments(self):
        def energy(x, mean, scale):
            return norm.logpdf(x, mean, scale).sum()

        mean, scale = np.array(0.5), np.array(2.0)
        found = pn.gradient(energy, X, mean, scale)
        r = (X - 0.5) / 2.0
        for part, expected in zip(
            found, (-r / 2.0, (r / 2.0).sum(), ((r * r - 1) / 2.0).sum()), strict=True
        ):
            np.testing.assert_allclose(part, expected, rtol=1e-12)

    def test_nested_with_our_own_functions(self):
        def inner(x):
            return pn.grad(lambda y: (special.gammaln(y) * np.tanh(x)).sum())(x).sum()

        digamma, trigamma = scipy.special.digamma(X), scipy.special.polygamma(1, X)
        expected = trigamma * np.tanh(X) + digamma / np.cosh(X) ** 2
        np.testing.assert_allclose(pn.grad(inner)(X), expected, rtol=1e-12)

    def test_lists_of_arrays(self):
        def energy(x):
            return anp.sum(anp.concatenate([x, 2 * x, anp.ones(2)]) ** 2)

        np.testing.assert_allclose(pn.grad(energy)(X), 10 * X, rtol=1e-14)

    def test_complex_numbers_descend(self):
        z = X + 1j * V
        found = pn.grad(lambda z: anp.real(anp.sum(anp.exp(z) * z)))(z)
        np.testing.assert_allclose(found, np.conj(np.exp(z) * (z + 1)), rtol=1e-13)

    def test_float32_is_kept(self):
        x = X.astype(np.float32)
        assert pn.grad(gamma_energy)(x).dtype == np.float32
        assert pn.jvp(gamma_energy, (x,), (x,))[1].dtype == np.float32
        assert pn.hessian(gamma_energy)(x).dtype == np.float32


@primitive
def exp(x, y):
    """A function of two arguments that has the name of one of ours."""
    return x * x * y


defvjp(exp, lambda ans, x, y: lambda g: 2 * x * y * g, lambda ans, x, y: lambda g: x * x * g)

BATCH = np.stack([X, 2 * X])


def quartic(x):
    return np.sum(cube(x) * x)


def mixed(x, y):
    return np.sum(exp(x, y))


def decay(y0):
    """The end of dy/dt = -k y."""
    times, k = np.linspace(0.0, 1.0, 4), np.array([1.0, 2.0, 3.0])
    return anp.sum(odeint(lambda y, t, k: -y * k, y0, times, (k,))[-1])


class TestRecordedAndBatched:
    @pytest.mark.parametrize(
        "function",
        [
            quartic,
            cube,
            pn.grad(quartic),
            pn.hessian(quartic),
            lambda x: pn.jvp(quartic, (x,), (V,))[1],
            lambda x: pn.hvp(quartic, x, V),
            lambda x: pn.grad(mixed)(x, V),
            lambda y: pn.vmap(lambda x: exp(x, y))(BATCH),
            lambda x: pn.vmap(pn.grad(lambda y: mixed(y, x)))(BATCH),
            pn.grad(gamma_energy),
            pn.grad(lambda x: anp.sum(anp.concatenate([x, 2 * x, anp.ones(2)]) ** 2)),
            pn.grad(lambda x: anp.linalg.det(anp.outer(x, x) + anp.eye(3))),
            pn.grad(lambda x: anp.sum(anp.sin(x)[1:] * anp.mean(x) / anp.max(x))),
            pn.grad(decay),
        ],
    )
    def test_a_replay_is_the_plain_call(self, function):
        replay = pn.jit(function)
        for x in (X, X, 1.5 * X):
            np.testing.assert_allclose(replay(x), function(x), rtol=1e-12)

    def test_the_derivative_of_a_replay(self):
        np.testing.assert_allclose(pn.grad(pn.jit(quartic))(X), 4 * X**3, rtol=1e-13)

    def test_an_array_written_in_place_between_replays(self):
        x, replay = X.copy(), pn.jit(cube)
        replay(x)
        x *= 2.0
        np.testing.assert_allclose(replay(x), 8 * X**3, rtol=1e-14)

    def test_batches(self):
        close = np.testing.assert_allclose
        close(pn.vmap(cube)(BATCH), BATCH**3, rtol=1e-14)
        close(pn.vmap(pn.grad(quartic))(BATCH), 4 * BATCH**3, rtol=1e-13)
        close(pn.grad(lambda x: np.sum(pn.vmap(quartic)(x)))(BATCH), 4 * BATCH**3, rtol=1e-13)
        close(pn.jit(pn.vmap(pn.grad(quartic)))(BATCH), 4 * BATCH**3, rtol=1e-13)
        assert pn.vmap(cube)(BATCH[:0]).shape == (0, 3)

    def test_arguments_of_two_derivatives(self):
        found = pn.grad(lambda x: np.sum(pn.grad(lambda y: mixed(x, y))(V)))(X)
        np.testing.assert_allclose(found, 2 * X, rtol=1e-14)

    def test_an_equation_solved_by_scipy(self):
        slopes = np.exp(-np.array([1.0, 2.0, 3.0]))
        np.testing.assert_allclose(pn.grad(decay)(X), slopes, rtol=1e-6)
        np.testing.assert_allclose(pn.vmap(pn.grad(decay))(BATCH), [slopes] * 2, rtol=1e-6)

    def test_a_primitive_is_evaluated_once_in_a_derivative(self):
        calls = []

        @primitive
        def counted(x):
            calls.append(x)
            return 2 * x

        defvjp(counted, lambda ans, x: lambda g: 2 * g)
        pn.grad(lambda x: np.sum(counted(x)))(X)
        assert len(calls) == 1


class TestRefusals:
    def test_no_rule(self):
        with pytest.raises(NoDerivativeError, match=r"opaque has no derivative .*defvjp"):
            pn.grad(lambda x: opaque(x).sum())(X)

    @pytest.mark.parametrize(
        "mixed",
        [
            lambda: pn.grad(lambda x: autograd.grad(lambda y: anp.sum(y * x))(X).sum())(X),
            lambda: autograd.grad(lambda y: pn.grad(lambda x: anp.sum(x * y))(X).sum())(X),
        ],
    )
    def test_derivatives_of_both_in_one_call(self, mixed):
        with pytest.raises(TracedValueError, match=r"both with autograd\.grad"):
            mixed()

    def test_an_array_from_around_a_primitive(self):
        def around(x):
            @primitive
            def shifted(y):
                return y + x

            defvjp(shifted, lambda ans, y: lambda g: g)
            return np.sum(shifted(2 * x))

        with pytest.raises(TracedValueError, match=r"shifted uses an array .* give it as one"):
            pn.grad(around)(X)

    def test_flattening_by_autograd_inside(self):
        with pytest.raises(TracedValueError, match=r"take both derivatives with pn\.grad"):
            pn.grad(lambda x: np.sum(flatten({"x": x})[0]))(X)

    def test_a_dict_of_results(self):
        @primitive
        def named(x):
            return {"y": x}

        with pytest.raises(NoDerivativeError, match=r"named returns a dict.*return a tuple"):
            pn.grad(lambda x: np.sum(named(x)["y"]))(X)


MATRIX = np.asarray([[2.0, 0.3, -0.4], [0.1, 1.0, 0.5], [-0.2, 0.6, 3.0]])
WEIGHTS = np.asarray([[0.5, -1.0, 0.2], [0.7, 0.1, -0.6], [0.3, 0.9, -0.8]])


@primitive
def parts(x, y):
    """A function of two arrays with two results of two shapes."""
    return np.sin(x) * y, np.array(np.sum(x * y, axis=0))


defvjp(
    parts,
    lambda ans, x, y: lambda g: g[0] * anp.cos(x) * y + g[1] * y,
    lambda ans, x, y: lambda g: g[0] * anp.sin(x) + g[1] * x,
)


@primitive
def pair(x):
    return [x * x, x + 1]


defvjp(pair, lambda ans, x: lambda g: 2 * g[0] * x + g[1])
defjvp(pair, lambda t, ans, x: [2 * t * x, t])


SEVERAL = {
    "svd": lambda x: anp.sum(anp.linalg.svd(x)[1] ** 3),
    "svd, all": lambda x: anp.sum(WEIGHTS * low_rank(*anp.linalg.svd(x))),
    "eigh": lambda x: anp.sum(WEIGHTS * anp.linalg.eigh(x + x.T)[1] ** 2),
    "eig": lambda x: anp.sum(anp.abs(anp.linalg.eig(x)[0]) ** 2),
    "slogdet": lambda x: anp.linalg.slogdet(x)[1],
    "qr": lambda x: anp.sum(WEIGHTS * anp.abs(anp.linalg.qr(x)[1])),
    "split": lambda x: anp.sum(anp.split(x, 3)[1] * anp.array_split(x, 2)[0] ** 2),
    "hsplit": lambda x: anp.sum(anp.hsplit(x, 3)[1] ** 3),
    "gradient": lambda x: anp.sum(WEIGHTS * anp.gradient(x)[0] ** 2),
    "modf": lambda x: anp.sum(anp.modf(1.1 * x + 0.05)[0] ** 2),
    "meshgrid": lambda x: anp.sum(WEIGHTS * anp.meshgrid(x[0], x[1])[0] ** 2),
    "containers": lambda x: anp.sum(builtins.tuple([x, x * x])[1] * builtins.dict({"x": x})["x"]),
    "a primitive": lambda x: anp.sum(WEIGHTS * parts(x, x + 1)[0]) + anp.sum(parts(2.0, x)[1] ** 2),
    "a primitive, a list": lambda x: anp.sum(pair(x)[0] * pair(x)[1]),
}


def low_rank(u, s, v):
    return anp.dot(u[:, :2] * s[:2], v[:2])


@pytest.mark.parametrize("name", SEVERAL)
class TestSeveralResults:
    def test_derivatives(self, name):
        f, v = SEVERAL[name], WEIGHTS.T
        slope = (f(MATRIX + 1e-6 * v) - f(MATRIX - 1e-6 * v)) / 2e-6
        gradient = pn.grad(f)(MATRIX)
        value, tangent = pn.jvp(f, (MATRIX,), (v,))
        np.testing.assert_allclose(np.sum(gradient * v), slope, rtol=1e-7)
        np.testing.assert_allclose(tangent, slope, rtol=1e-7)
        np.testing.assert_allclose(value, f(MATRIX), rtol=1e-15)
        assert pn.grad(f)(MATRIX.astype(np.float32)).dtype == np.float32

    def test_second_order(self, name):
        f, v = pn.grad(SEVERAL[name]), WEIGHTS.T
        slope = (f(MATRIX + 1e-6 * v) - f(MATRIX - 1e-6 * v)) / 2e-6
        np.testing.assert_allclose(pn.hvp(SEVERAL[name], MATRIX, v), slope, rtol=1e-6, atol=1e-8)

    def test_recorded_and_batched(self, name):
        gradient = pn.grad(SEVERAL[name])
        replay, batch = pn.jit(gradient), np.stack([MATRIX, 1.5 * MATRIX])
        for x in (*batch, MATRIX):
            np.testing.assert_allclose(replay(x), gradient(x), rtol=1e-12, atol=1e-14)
        expected = np.stack([gradient(x) for x in batch])
        np.testing.assert_allclose(pn.vmap(gradient)(batch), expected, rtol=1e-12, atol=1e-14)


def test_a_rule_that_asks_for_values_is_run_as_a_whole():
    @primitive
    def square(x):
        return x * x

    defvjp(square, lambda ans, x: lambda g: np.array([2 * float(v) for v in x]) * g)
    gradient = pn.grad(lambda x: np.sum(square(x)))
    replay = pn.jit(gradient)
    for x in (X, X, V):
        np.testing.assert_allclose(replay(x), 2 * x, rtol=1e-15)
    np.testing.assert_allclose(pn.vmap(gradient)(BATCH), 2 * BATCH, rtol=1e-15)
    with pytest.raises(NoDerivativeError, match="autograd's pullback of square"):
        pn.grad(lambda x: np.sum(gradient(x)))(X)


def test_autograd_itself_is_as_before():
    pn.grad(gamma_energy)(X)  # registered now
    np.testing.assert_allclose(autograd.grad(gamma_energy)(X), GAMMA_GRADIENT, rtol=1e-13)
    np.testing.assert_allclose(autograd.hessian(gamma_energy)(X), GAMMA_HESSIAN, rtol=1e-12)
    assert type(anp.ones(2)) is np.ndarray
    assert isinstance(anp.sum(anp.ones(2)), np.float64)
