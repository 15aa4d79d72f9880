"""Cube roots and powers of two against NumPy, with their derivatives, batched and recorded."""

from __future__ import annotations

import numpy as np
import pytest

import portanet as pn
from portanet import functional
from portanet.errors import DTypeError

X = np.concatenate([np.geomspace(1e-300, 1e300, 97), -np.geomspace(1e-9, 1e9, 31)])
SMALL = np.asarray([-2.5, -0.3, 0.4, 1.0, 7.0])
ENDS = np.asarray([0.0, -0.0, np.inf, -np.inf, np.nan])


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_values(backend, dtype):
    x = X[np.abs(X) < 1e30].astype(dtype)
    eps = np.finfo(dtype).eps
    y = backend.to_numpy(functional.cbrt(backend.asarray(x)))
    np.testing.assert_allclose(y, np.cbrt(x), 2 * eps)
    x = np.linspace(-20.0, 20.0, 161, dtype=dtype)
    y = backend.to_numpy(functional.exp2(backend.asarray(x)))
    np.testing.assert_allclose(y, np.exp2(x), 4 * eps)
    np.testing.assert_array_equal(y[::4], 2.0 ** np.arange(-20, 21))


def test_extremes(backend):
    y = backend.to_numpy(functional.cbrt(backend.asarray(np.concatenate([ENDS, X]))))
    np.testing.assert_allclose(y, np.cbrt(np.concatenate([ENDS, X])), 1e-15)
    np.testing.assert_array_equal(np.signbit(y[:4]), np.signbit(ENDS[:4]))
    y = backend.to_numpy(functional.exp2(backend.asarray(ENDS)))
    np.testing.assert_array_equal(y, np.exp2(ENDS))


@pytest.mark.parametrize("function", [functional.cbrt, functional.exp2])
def test_derivatives_of_two_orders(backend, function):
    xp, x = backend.xp, backend.asarray(SMALL)
    slopes = {
        functional.cbrt: (np.cbrt(SMALL) ** -2 / 3, -2 / 9 * np.cbrt(SMALL) ** -5),
        functional.exp2: (np.log(2) * np.exp2(SMALL), np.log(2) ** 2 * np.exp2(SMALL)),
    }[function]
    first = pn.grad(lambda x: xp.sum(function(x)))
    second = pn.grad(lambda x: xp.sum(first(x)))
    for own, expected in zip((first, second), slopes, strict=True):
        np.testing.assert_allclose(backend.to_numpy(own(x)), expected, 1e-12)
    tangent = pn.jvp(function, (x,), (xp.ones_like(x),))[1]
    np.testing.assert_allclose(backend.to_numpy(tangent), slopes[0], 1e-12)


@pytest.mark.filterwarnings("ignore:divide by zero")
def test_the_cube_root_is_steep_at_0(backend):
    x = backend.asarray(np.asarray([0.0, 1.0]))
    slope = pn.grad(lambda x: backend.xp.sum(functional.cbrt(x)))(x)
    np.testing.assert_allclose(backend.to_numpy(slope), [np.inf, 1 / 3])


@pytest.mark.parametrize("function", [functional.cbrt, functional.exp2])
def test_batched_and_recorded(backend, function):
    x = backend.asarray(np.stack([SMALL, SMALL + 1.0]))
    expected = backend.to_numpy(function(x))
    for other in (pn.vmap(function), pn.jit(function)):
        np.testing.assert_allclose(backend.to_numpy(other(x)), expected, 1e-15)


@pytest.mark.parametrize("function", [functional.cbrt, functional.exp2])
def test_dtypes(backend, function):
    for dtype in ("float16", "float32"):
        if hasattr(backend.xp, dtype):
            x = backend.asarray(SMALL.astype(dtype))
            assert function(x).dtype == x.dtype
    for dtype in ("int64", "complex128"):
        with pytest.raises(DTypeError, match=r"x\.dtype is"):
            function(backend.asarray(SMALL.astype(dtype)))
