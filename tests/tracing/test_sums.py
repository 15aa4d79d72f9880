"""Recorded sums and means over any axes against NumPy's in float64."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

import portanet as pn

SHAPES = [
    (), (5,), (1,), (3, 4), (1, 4), (4, 1), (3, 4, 5), (1, 4, 1), (2, 3, 4, 5), (3, 300), (300, 3),
    (2, 300, 3), (700, 128, 1), (20000, 4), (600, 5, 4),
]  # fmt: skip
DTYPES = ["float32", "float64", "float16", "complex128", "int64"]


def _axes(rank: int) -> list:
    several = [
        chosen for k in range(1, rank + 1) for chosen in itertools.combinations(range(rank), k)
    ]
    return [None, *several, *range(-rank, 0)]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("dtype", DTYPES)
def test_sums_and_means(shape, dtype):
    x = (np.random.default_rng(0).normal(size=shape) * 3).astype(dtype)
    names = ("sum",) if dtype == "int64" else ("sum", "mean")
    tolerance = {"float16": 2e-3, "float32": 2e-5}.get(dtype, 1e-12)
    wide = np.complex128 if dtype == "complex128" else np.float64
    for axis, keepdims, name in itertools.product(_axes(x.ndim), (False, True), names):

        def run(x, axis=axis, keepdims=keepdims, name=name):
            xp = pn.array_namespace(x)
            found = getattr(xp, name)(x + x, axis=axis, keepdims=keepdims)
            return found, found * 2  # as a result, and on the way to one

        plain, (y, part) = run(x), pn.jit(run)(x)
        expected = getattr(np, name)(2 * x.astype(wide), axis=axis, keepdims=keepdims)
        assert (type(y), y.dtype) == (type(plain[0]), plain[0].dtype)
        scale = np.abs(2 * x.astype(wide)).sum() + 1
        np.testing.assert_allclose(y, expected, rtol=tolerance, atol=tolerance * scale / 10)
        np.testing.assert_allclose(part, plain[1], rtol=4 * tolerance, atol=tolerance * scale)


def test_the_sum_of_a_number_takes_an_axis():
    for x in (np.float64(2.5), np.asarray(2.5)):
        assert pn.jit(lambda x: np.sum(x * 2.0, axis=0))(x) == 5.0


def test_what_is_not_finite_stays_in_its_row():
    x = np.ones((64, 8), np.float32)
    x[3, 2], x[5, 1], x[7, 0] = np.inf, np.nan, -np.inf
    y = pn.jit(lambda x: np.sum(x * 1.0, axis=-1))(x)
    np.testing.assert_array_equal(y, x.sum(axis=-1))


def test_a_turned_array_is_added_along_its_own_axes():
    x = np.random.default_rng(0).normal(size=(6, 5, 4))
    run = pn.jit(lambda x: np.sum(x, axis=1))
    for order in itertools.permutations(range(3)):
        turned = x.transpose(order)
        np.testing.assert_allclose(run(turned), turned.sum(axis=1), rtol=1e-12)
        np.testing.assert_allclose(run(turned[::-1, :, ::2]), turned[::-1, :, ::2].sum(axis=1))


@pytest.mark.parametrize("n", [384, 514, 1000, 65536])
def test_long_sums_are_those_of_their_parts(n):
    x = np.full((3, n), 0.1, np.float32)
    total, row = pn.jit(lambda x: (np.mean(x * 1.0), np.sum(x * 1.0, axis=-1)))(x)
    np.testing.assert_allclose(total, np.float32(0.1), rtol=3e-6)
    np.testing.assert_allclose(row, [n * np.float64(np.float32(0.1))] * 3, rtol=3e-6)


def test_sums_of_parts_are_products_twice():
    x = np.ones((4, 384), np.float32)
    run = pn.jit(lambda x: np.sum(x * 2.0, axis=-1) * 1.5)
    assert run.source(x).count("dot(") == 2
    prime = np.ones((4, 383), np.float32)
    assert "dot(" not in run.source(prime)
    np.testing.assert_array_equal(run(x), [1152.0] * 4)


def test_a_long_row_that_is_not_finite_stays_in_its_row():
    x = np.ones((5, 384), np.float32)
    x[1, 3], x[2, 300], x[3, 0] = np.inf, np.nan, -np.inf
    y = pn.jit(lambda x: np.mean(x * 1.0, axis=-1))(x)
    np.testing.assert_array_equal(y, x.mean(axis=-1))
