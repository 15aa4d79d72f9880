"""The gamma family against SciPy, and its derivatives against each other's differences."""

from __future__ import annotations

import numpy as np
import pytest

import portanet as pn
from portanet import functional
from portanet.errors import DTypeError, HyperparameterError

POSITIVE = np.concatenate([np.geomspace(1e-10, 1e10, 61), np.linspace(0.1, 20.0, 200), [1.0, 2.0]])
NEGATIVE = -np.linspace(0.03, 11.93, 137)


def test_lgamma(backend):
    special = pytest.importorskip("scipy.special")
    x = np.concatenate([POSITIVE, NEGATIVE])
    expected = special.gammaln(x)
    y = backend.to_numpy(functional.lgamma(backend.asarray(x)))
    np.testing.assert_array_less(np.abs(y - expected), 2e-14 * np.maximum(np.abs(expected), 1.0))


def test_digamma(backend):
    special = pytest.importorskip("scipy.special")
    x = np.concatenate([POSITIVE, NEGATIVE])
    expected = special.digamma(x)
    y = backend.to_numpy(functional.digamma(backend.asarray(x)))
    np.testing.assert_array_less(np.abs(y - expected), 1e-13 * np.maximum(np.abs(expected), 1.0))


@pytest.mark.parametrize("n", [1, 2, 3, 5])
def test_polygamma(backend, n):
    special = pytest.importorskip("scipy.special")
    x = POSITIVE[(POSITIVE > 1e-6) & (POSITIVE < 1e6)]
    y = backend.to_numpy(functional.polygamma(n, backend.asarray(x)))
    np.testing.assert_allclose(y, special.polygamma(n, x), rtol=1e-12)


@pytest.mark.parametrize("n", [1, 2, 3])
def test_polygamma_of_negative_numbers(backend, n):
    """Against the recurrence ``polygamma(n, x) = polygamma(n, x + 1) - (-1)^n n! / x^(n + 1)``."""
    special = pytest.importorskip("scipy.special")
    expected = special.polygamma(n, NEGATIVE + 13.0)
    for k in range(13):
        expected = expected - (-1) ** n * special.factorial(n) / (NEGATIVE + k) ** (n + 1)
    y = backend.to_numpy(functional.polygamma(n, backend.asarray(NEGATIVE)))
    np.testing.assert_allclose(y, expected, rtol=1e-9)


def test_poles_and_infinities(backend):
    x = backend.asarray(np.asarray([0.0, -0.0, -1.0, -7.0, np.inf, np.nan]))
    infinite, nan = np.inf, np.nan
    for function, expected in (
        (functional.lgamma, [*[infinite] * 5, nan]),
        (functional.digamma, [-infinite, -infinite, nan, nan, infinite, nan]),
        (lambda x: functional.polygamma(1, x), [*[infinite] * 4, 0.0, nan]),
    ):
        np.testing.assert_array_equal(backend.to_numpy(function(x)), expected)


def test_minus_infinity_is_a_pole(backend):
    x = backend.asarray(np.asarray([-np.inf]))
    assert backend.to_numpy(functional.lgamma(x)) == np.inf
    assert np.isnan(backend.to_numpy(functional.digamma(x)))


def test_derivatives_to_third_order(backend):
    special = pytest.importorskip("scipy.special")
    x = np.asarray([0.2, 1.0, 3.7, 30.0])
    xp = backend.xp
    function = functional.lgamma
    for n in range(3):
        inner = function
        function = pn.grad(lambda x, inner=inner: xp.sum(inner(x)))
        expected = special.polygamma(n, x)
        y = backend.to_numpy(function(backend.asarray(x)))
        np.testing.assert_allclose(y, expected, rtol=1e-12)
    tangent = pn.jvp(functional.digamma, (backend.asarray(x),), (backend.asarray(np.ones(4)),))[1]
    np.testing.assert_allclose(backend.to_numpy(tangent), special.polygamma(1, x), rtol=1e-12)


def test_float32_is_kept(backend):
    x = backend.asarray(np.asarray([0.5, 2.5, -1.5], np.float32))
    for function in (functional.lgamma, functional.digamma):
        assert function(x).dtype == x.dtype
        assert pn.grad(lambda x, f=function: backend.xp.sum(f(x)))(x).dtype == x.dtype


def test_a_wrong_order_is_refused(backend):
    with pytest.raises(HyperparameterError, match="n is an integer >= 0: got -1"):
        functional.polygamma(-1, backend.asarray(np.ones(2)))


@pytest.mark.parametrize("name", ["lgamma", "digamma", "trigamma", "erf", "erfc"])
@pytest.mark.parametrize("dtype", ["int32", "bool"])
def test_integers_are_refused(backend, name, dtype):
    """They have no place for the result; the same on every library, recorded or not."""
    x = backend.asarray(np.asarray([1, 0, 1]).astype(dtype))
    f = (lambda x: functional.polygamma(1, x)) if name == "trigamma" else getattr(functional, name)
    for call in (f, pn.jit(f)):
        with pytest.raises(DTypeError, match=rf"x\.dtype is floating: {dtype}: convert it with"):
            call(x)
