"""Results without axes, which a replay computes by Python's operators on NumPy's numbers."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

import portanet as pn
from portanet.tracing.record.host import Varying

SPECIAL = [0.0, -0.0, 1.5, -2.0, 1e30, -1e-30, np.inf, -np.inf, np.nan]


def _same(found, expected):
    assert (type(found), found.dtype, found.shape) == (
        type(expected), expected.dtype, expected.shape,
    )  # fmt: skip
    np.testing.assert_array_equal(found, expected)
    if found.dtype.kind == "f":
        np.testing.assert_array_equal(np.signbit(found), np.signbit(expected))


def _arithmetic(x, y):
    a, b = x + y, x - 2.0 * y
    c = (a * b - x) / 3.0
    return a, c * c, -c / 2, np.square(b) + 1, np.sum(c), c**2


@pytest.mark.parametrize("dtypes", [("f4", "f4"), ("f8", "f8"), ("f4", "f8")])
def test_arithmetic_is_numpys(dtypes):
    recorded = pn.jit(_arithmetic)
    with np.errstate(all="ignore"):
        for x in SPECIAL:
            for y in SPECIAL:
                args = [np.asarray(v, dtype) for v, dtype in zip((x, y), dtypes, strict=True)]
                for found, expected in zip(recorded(*args), _arithmetic(*args), strict=True):
                    _same(found, expected)
    assert " + " in recorded.source(*args)


@pytest.mark.parametrize("dtype", ["int64", "uint8", "bool", "complex128", "float16"])
def test_other_numbers_are_left_to_numpy(dtype):
    x = np.asarray(3, dtype)
    recorded = pn.jit(lambda x: (x + x) * x)
    _same(recorded(x), (x + x) * x)
    assert "add" in recorded.source(x)


def test_numbers_and_arrays_meet():
    def run(x, s):
        total = np.sum(x * x) + s
        y = x * total
        return y + y[1] * s - np.where(total > 0, total, 0.0), np.stack([total, s]), total / x[0]

    recorded = pn.jit(run)
    for seed in range(3):
        x = np.random.default_rng(seed).normal(size=5)
        s = np.asarray(seed - 1.0)
        for _ in range(2):
            for found, expected in zip(recorded(x, s), run(x, s), strict=True):
                np.testing.assert_allclose(found, expected, rtol=1e-14)


def test_a_number_outlives_the_memory_that_it_was_taken_from():
    def run(x):
        a = np.exp(x)
        early = np.dot(a, a) * 2.0
        for _ in range(4):
            a = np.sin(a) * np.cos(a)
        return early * np.dot(a, a), early + 1.0

    recorded, x = pn.jit(run), np.linspace(0, 1, 7)
    for _ in range(2):
        for found, expected in zip(recorded(x), run(x), strict=True):
            np.testing.assert_allclose(found, expected, rtol=1e-14)


def test_an_item_is_one_of_the_call():
    run = pn.jit(lambda x: (x[0] * x[-1], x[1] + 0.0, x[0, ...] * 2.0))
    for x in (np.asarray([1.0, 2.0, 3.0]), np.asarray([4.0, 5.0, 6.0])):
        for found, expected in zip(run(x), (x[0] * x[-1], x[1] + 0.0, x[0] * 2.0), strict=True):
            _same(found, expected)


def test_numbers_of_the_host_join_in():
    run = pn.jit(lambda x, rate: (x * x) * rate - rate / x)
    for dtype in (np.float32, np.float64):
        x = np.asarray(1.7, dtype)
        for rate in (0.1, 3.0):
            _same(run(x, Varying(rate)), (x * x) * rate - rate / x)


@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_a_loop_carries_numbers(dtype):
    def run(x, rows):
        def step(total, row):
            total = total * 0.5 + row * row
            return total, total / 3.0

        return pn.scan(step, x, rows)

    x, rows = np.asarray(0.3, dtype), np.linspace(0, 1, 6).astype(dtype)
    (total, parts), (expected, several) = pn.jit(run)(x, rows), run(x, rows)
    np.testing.assert_array_equal(total, expected)
    np.testing.assert_array_equal(parts, several)
    assert total.dtype == parts.dtype == x.dtype
    slope, plain = pn.grad(lambda x: run(x, rows)[0]), pn.grad(lambda x: run(x, rows)[0])
    np.testing.assert_allclose(pn.jit(slope)(x), plain(x), rtol=1e-6)


def test_divisions_by_zero_are_told():
    recorded = pn.jit(lambda x: 1.0 / (x + x))
    recorded(np.asarray(1.0))
    with pytest.warns(RuntimeWarning, match="divide by zero"):
        recorded(np.asarray(0.0))
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("error")
        recorded(np.asarray(0.0))
