"""The incomplete gamma and beta functions against SciPy, with their derivatives in x."""

from __future__ import annotations

import math

import numpy as np
import pytest

import portanet as pn
from portanet import functional
from portanet.errors import DTypeError, NoDerivativeError

special = pytest.importorskip("scipy.special")
RNG = np.random.default_rng(0)
N = 4000


def shapes(highest):
    return 10.0 ** RNG.uniform(-3, highest, N)


def gammas():
    a = shapes(2)
    yield a, a * 10.0 ** RNG.uniform(-1, 0.7, N)
    yield a, np.abs(a + 3 * np.sqrt(a) * RNG.normal(size=N))
    yield a, 10.0 ** RNG.uniform(-10, 4, N)
    yield a, a


def betas():
    a, b = shapes(2), shapes(2)
    yield a, b, np.maximum(RNG.beta(a, b), 1e-300)  # below, SciPy is less exact
    yield a, b, RNG.uniform(size=N)
    yield a, b, a / (a + b)


@pytest.mark.parametrize("case", list(gammas()))
def test_gammainc(backend, case):
    y = backend.to_numpy(functional.gammainc(*map(backend.asarray, case)))
    rough = 1e-12 if backend.name == "jax" else 2e-14  # which has its own
    np.testing.assert_allclose(y, special.gammainc(*case), 0, rough)


@pytest.mark.parametrize("case", list(betas()))
def test_betainc(backend, case):
    y = backend.to_numpy(functional.betainc(*map(backend.asarray, case)))
    error = np.abs(y - special.betainc(*case))
    np.testing.assert_array_less(error, 1e-14 * (case[0] + case[1] + 10))


def test_large_shapes(backend):
    """Near its mean gamma is normal but for what Edgeworth's series says."""
    if backend.name == "jax":
        pytest.skip("it has its own")
    z, a = np.linspace(-5.0, 5.0, 21), 1e8
    normal = special.ndtr(z)
    density = np.exp(-z * z / 2) / math.sqrt(2 * math.pi)
    expected = normal - (z * z - 1) * density / (3 * math.sqrt(a))
    given = np.full(21, a), a + z * math.sqrt(a)
    y = backend.to_numpy(functional.gammainc(*map(backend.asarray, given)))
    np.testing.assert_allclose(y, expected, 0, 1e-8)
    large = 10.0 ** RNG.uniform(2, 6, (2, N))
    x = RNG.beta(*large)
    y = backend.to_numpy(functional.betainc(*map(backend.asarray, (*large, x))))
    error = np.abs(y - special.betainc(*large, x))
    np.testing.assert_array_less(error, 1e-14 * (large.sum(0) + 10))


def test_ends(backend):
    nan, inf = np.nan, np.inf
    a = np.asarray([2.0, 0.5, 2.0, -1.0, 2.0, nan, 2.0])
    x = np.asarray([0.0, 0.0, inf, 1.0, -1.0, 1.0, nan])
    y = backend.to_numpy(functional.gammainc(*map(backend.asarray, (a, x))))
    np.testing.assert_array_equal(y, [0, 0, 1, nan, nan, nan, nan])
    a, b = np.asarray([2.0, 2.0, 2.0, 2.0, -1.0, nan]), np.asarray([3.0, 3.0, 3.0, 3.0, 1.0, 1.0])
    x = np.asarray([0.0, 1.0, 1.5, -0.5, 0.5, 0.5])
    y = backend.to_numpy(functional.betainc(*map(backend.asarray, (a, b, x))))
    np.testing.assert_array_equal(y, [0, 1, nan, nan, nan, nan])


CASES = [
    (functional.gammainc, (np.asarray([0.7, 1.0, 3.0, 40.0]),), np.asarray([0.3, 2.0, 2.5, 45.0])),
    (
        functional.betainc,
        (np.asarray([0.7, 1.0, 3.0, 40.0]), np.asarray([0.4, 1.0, 2.0, 9.0])),
        np.asarray([0.3, 0.4, 0.8, 0.75]),
    ),
]


def densities(function, fixed, x):
    """Return the first and second derivative in `x`, by SciPy and the formulas of the densities."""
    if function is functional.gammainc:
        (a,) = fixed
        first = np.exp((a - 1) * np.log(x) - x - special.gammaln(a))
        return first, first * ((a - 1) / x - 1)
    a, b = fixed
    first = x ** (a - 1) * (1 - x) ** (b - 1) / special.beta(a, b)
    return first, first * ((a - 1) / x - (b - 1) / (1 - x))


@pytest.mark.parametrize(("function", "fixed", "x"), CASES)
def test_derivatives_in_x(backend, function, fixed, x):
    xp = backend.xp
    given = tuple(map(backend.asarray, fixed))
    first = pn.grad(lambda x: xp.sum(function(*given, x)))
    second = pn.grad(lambda x: xp.sum(first(x)))
    for own, expected in zip((first, second), densities(function, fixed, x), strict=True):
        y = backend.to_numpy(own(backend.asarray(x)))
        np.testing.assert_allclose(y, expected, 1e-9, 1e-11)
    given_x, ones = backend.asarray(x), backend.asarray(np.ones(4))
    tangent = pn.jvp(lambda x: function(*given, x), (given_x,), (ones,))[1]
    expected = densities(function, fixed, x)[0]
    np.testing.assert_allclose(backend.to_numpy(tangent), expected, 1e-9)


@pytest.mark.parametrize(("function", "fixed", "x"), CASES)
def test_batched_recorded_and_broadcast(backend, function, fixed, x):
    given = tuple(map(backend.asarray, (*fixed, x)))
    expected = backend.to_numpy(function(*given))
    for run in (pn.vmap(function), pn.jit(function)):
        np.testing.assert_allclose(backend.to_numpy(run(*given)), expected, 1e-13)
    table = backend.to_numpy(function(*(part[:, None] for part in given[:-1]), given[-1]))
    assert table.shape == (4, 4)
    np.testing.assert_allclose(np.diagonal(table), expected, 1e-13)
    one = tuple(part[0] for part in given[:-1])
    rows = pn.vmap(lambda x: function(*one, x))(given[-1])
    np.testing.assert_allclose(backend.to_numpy(rows), table[0], 1e-13)


def test_shapes_have_no_derivative(backend):
    if backend.name in ("jax", "torch"):
        pytest.skip("they differentiate what is computed, or have one")
    x = backend.asarray(np.asarray([0.5]))
    with pytest.raises(NoDerivativeError, match="with respect to a, which has no closed form"):
        pn.grad(lambda a: backend.xp.sum(functional.gammainc(a, x)))(x)
    with pytest.raises(NoDerivativeError, match="with respect to b, which has no closed form"):
        pn.grad(lambda b: backend.xp.sum(functional.betainc(x, b, x)))(x)


def test_dtypes(backend):
    for function, fixed, x in CASES:
        given = [backend.asarray(part.astype(np.float32)) for part in (*fixed, x)]
        y = function(*given)
        assert y.dtype == given[0].dtype
        np.testing.assert_allclose(
            backend.to_numpy(y), getattr(special, function.__name__)(*fixed, x), 2e-5
        )
        with pytest.raises(DTypeError):
            function(*given[:-1], backend.asarray(x.astype(np.int64)))
