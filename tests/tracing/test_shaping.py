"""Operands of universal functions whose axes of length 1 a replay leaves out."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

import portanet as pn
from portanet.tracing.record.host import Varying


def _fits(left: tuple[int, ...], right: tuple[int, ...]) -> bool:
    return all(1 in (m, n) or m == n for m, n in zip(left[::-1], right[::-1], strict=False))


SHAPES = [(), (1,), (1, 1), (5,), (1, 5), (5, 1), (4, 5), (1, 1, 5), (1, 4, 5)]
PAIRS = [pair for pair in itertools.product(SHAPES, SHAPES) if _fits(*pair)]


@pytest.mark.parametrize("dtype", ["float32", "float64", "int64"])
@pytest.mark.parametrize(("left", "right"), PAIRS)
def test_shapes_are_spread_as_by_numpy(left, right, dtype):
    rng = np.random.default_rng(0)
    x, y = ((3 * rng.normal(size=shape)).astype(dtype) for shape in (left, right))

    def run(x, y):
        a, b = x + x, y * y  # in memory that is kept
        c = np.maximum(a - b, a * 2)
        return c * c, np.add(c, y), a - np.reshape(b, (-1, 1))[:1] * b

    plain, recorded = run(x, y), pn.jit(run)
    for _ in range(2):
        for expected, found in zip(plain, recorded(x, y), strict=True):
            assert (type(found), found.dtype) == (type(expected), expected.dtype)
            np.testing.assert_array_equal(found, expected)


def test_numbers_of_the_host_change_from_call_to_call():
    run = pn.jit(lambda x, rate: (x * 2.0) * rate + (x * x) / rate - rate)
    for dtype in (np.float32, np.float64):
        x = np.linspace(1, 2, 5, dtype=dtype)
        for rate in (0.1, 3.0, 1e-30):
            expected = (x * 2.0) * rate + (x * x) / rate - rate
            found = run(x, Varying(rate))
            assert found.dtype == dtype
            np.testing.assert_array_equal(found, expected)


def test_an_array_of_one_number_is_not_taken_for_its_shape():
    run = pn.jit(lambda x: x * np.broadcast_to(np.float64(2.0), (3, 4)) * 1.0)
    x = np.ones((1, 4))
    np.testing.assert_array_equal(run(x), np.full((3, 4), 2.0))


@pytest.mark.parametrize("shape", [(1, 1), (1, 1, 1)])
def test_one_number_that_is_looked_at_keeps_its_axes(shape):
    row = np.arange(5.0)

    def run(x):
        return np.where(np.equal(np.reshape(np.flip(x), shape), row), 2.0, 1.0) * 3.0

    recorded = pn.jit(run)
    for x in (np.asarray([2.0]), np.asarray([7.0])):
        np.testing.assert_array_equal(recorded(x), run(x))


@pytest.mark.parametrize("shape", [(0, 2), (1, 0), (1, 0, 3)])
def test_arrays_without_entries_keep_their_axes(shape):
    x = np.zeros(shape)

    def run(x):
        a = x + x
        b = a * np.ones(shape[-1:])
        return np.abs(b - a) * b

    recorded = pn.jit(run)
    for _ in range(2):
        assert recorded(x).shape == run(x).shape
