"""Sums of products, which a replay takes as dot products."""

from __future__ import annotations

import numpy as np
import pytest

import portanet as pn

SUMS = {
    "sum of products": lambda x, y: np.sum(x * y),
    "mean of products": lambda x, y: np.mean(y * (x + 1.0)),
    "sum of squares": lambda x, y: np.sum((x - y) ** 2),
    "mean of squares": lambda x, y: np.mean(np.square(x - y)) * 2.0,
    "of views": lambda x, y: np.sum(x.T * y.T) + np.sum(np.flip(x) * y),
    "of a constant": lambda x, y: np.sum(x * np.ones(x.shape, x.dtype)),
}


@pytest.mark.parametrize("shape", [(1,), (7,), (256,), (257,), (3, 4), (2, 3, 5), (0,), (1, 1)])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", list(SUMS))
def test_values_are_those_of_the_sum(name, dtype, shape):
    rng = np.random.default_rng(0)
    x, y = (rng.normal(size=shape).astype(dtype) for _ in range(2))
    run = SUMS[name]
    if not x.size and "mean" in name:
        return
    recorded = pn.jit(run)
    for layout in (np.asarray, np.asfortranarray, lambda x: np.repeat(x, 2, axis=0)[::2]):
        found, expected = recorded(layout(x), layout(y)), run(x, y)
        assert (type(found), found.dtype) == (type(expected), expected.dtype)
        tolerance = 1e-6 if dtype == "float32" else 1e-14
        np.testing.assert_allclose(found, expected, rtol=tolerance, atol=tolerance * len(shape) * 9)


def test_the_products_are_never_made():
    x = np.ones(9)
    source = pn.jit(lambda x: np.sum((x + 1.0) ** 2)).source(x)
    assert "dot(" in source
    assert "square" not in source
    assert "multiply" not in source


@pytest.mark.parametrize(
    "run",
    [
        lambda x: np.sum(x * x) - x * x,  # read elsewhere too
        lambda x: np.sum(x * x, axis=0, keepdims=True),
        lambda x: np.sum(x * x[:1]),  # spread
        lambda x: np.sum(np.astype(x, np.float32) * x),
        lambda x: np.sum(x * 2.0),
        lambda x: np.sum(np.astype(x * 10, np.int64) ** 2),
    ],
)
def test_other_sums_stay(run):
    x = np.random.default_rng(0).normal(size=6)
    for found, expected in zip(np.atleast_1d(pn.jit(run)(x)), np.atleast_1d(run(x)), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_what_is_not_finite_is_added():
    run = pn.jit(lambda x, y: np.sum(x * y))
    for x, y in (([np.inf, 1.0], [1.0, 1.0]), ([np.inf, 1.0], [0.0, 1.0]), ([1e200], [1e200])):
        with np.errstate(all="ignore"):
            np.testing.assert_array_equal(
                run(np.asarray(x), np.asarray(y)), np.sum(np.asarray(x) * np.asarray(y))
            )


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_long_sums_are_not_added_one_by_one(dtype):
    recorded = pn.jit(lambda x: np.sum(x * x))
    assert "dot(" in recorded.source(np.ones(256, dtype))
    assert "dot(" not in recorded.source(np.ones(257, dtype))
