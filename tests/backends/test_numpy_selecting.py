"""Recorded ``where`` on NumPy gives the bits of the plain one, however the mask looks."""

from __future__ import annotations

import numpy as np
import pytest

import portanet as pn
from portanet.backends.numpy.selecting import where

SIZES = [1, 100, 600, 5000, 70000]
MASKS = {
    "none": lambda rng, n: np.zeros(n, bool),
    "all": lambda rng, n: np.ones(n, bool),
    "rare": lambda rng, n: rng.uniform(size=n) > 0.99,
    "random": lambda rng, n: rng.uniform(size=n) > 0.5,
}


def _values(rng, n, dtype):
    x = rng.normal(size=n).astype(dtype)
    special = np.asarray([np.nan, np.inf, -np.inf, 0.0, -0.0])
    x[: min(n, 5)] = special[: min(n, 5)]
    return rng.permutation(x)


@pytest.mark.parametrize("dtype", ["float32", "float64", "float16", "complex64", "complex128"])
@pytest.mark.parametrize("mask", MASKS)
@pytest.mark.parametrize("size", SIZES)
def test_bits_are_kept(size, mask, dtype):
    rng = np.random.default_rng(0)
    x, y = _values(rng, size, dtype), _values(rng, size, dtype)
    condition = MASKS[mask](rng, size)
    for a, b in ((x, y), (x, 0.0), (-0.0, y), (2, y), (x, y[:1]), (x[0], y)):
        expected = np.where(condition, a, b)
        out = np.full(size, 7.0, dtype)
        assert where(condition, a, b, out=out) is out
        assert out.tobytes() == expected.tobytes()
        run = pn.jit(lambda c, x, y: -np.where(c, x, y))
        given = [np.asarray(v, dtype) if type(v) in (int, float) else v for v in (a, b)]
        assert run(condition, *given).tobytes() == (-expected).tobytes()


@pytest.mark.parametrize("dtype", ["bool", "int8", "uint16", "int64"])
def test_integers(dtype):
    rng = np.random.default_rng(0)
    x, y = rng.integers(0, 100, (2, 5000)).astype(dtype)
    condition = MASKS["random"](rng, 5000)
    run = pn.jit(lambda c, x, y: np.where(c, x, y)[::-1])
    expected = np.where(condition, x, y)
    out = np.zeros(5000, dtype)
    np.testing.assert_array_equal(where(condition, x, y, out=out), expected)
    np.testing.assert_array_equal(run(condition, x, y), expected[::-1])


def test_shapes_that_are_spread():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(2, 90, 80)).astype(np.float32)
    run = pn.jit(lambda c, x, y: np.where(c, x, y) * 1.0)
    for condition in (rng.uniform(size=(90, 1)) > 0.5, rng.uniform(size=80) > 0.5):
        for a, b in ((x, y), (x[:1], y), (x, y[:, :1]), (x.T.copy().T, y)):
            np.testing.assert_array_equal(run(condition, a, b), np.where(condition, a, b))


def test_a_gradient_goes_where_the_mask_says():
    x = np.random.default_rng(0).normal(size=5000).astype(np.float32)
    slope = pn.jit(pn.grad(lambda x: np.sum(np.where(x > 0, x, 0.25 * x))))
    np.testing.assert_array_equal(slope(x), np.where(x > 0, np.float32(1), np.float32(0.25)))


def test_numpy_s_own_where_among_constants_is_recorded_too():
    x = np.random.default_rng(0).normal(size=5000)
    np.testing.assert_array_equal(pn.jit(np.unwrap)(x), np.unwrap(x))
