"""Maxima and minima along short rows, plain and recorded, against NumPy's own."""

from __future__ import annotations

import numpy as np
import pytest

import portanet as pn
from portanet.tape.ops.extremes import has_short_rows

SHAPES = [(40, 5), (40, 32), (40, 33), (31, 5), (4, 10, 5), (3, 1, 16, 3), (40, 1), (5,), (3, 40)]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("dtype", ["float32", "float64", "float16", "int64"])
@pytest.mark.parametrize("name", ["max", "min"])
def test_values(shape, dtype, name):
    x = (np.random.default_rng(0).normal(size=shape) * 9).astype(dtype)
    if dtype != "int64" and x.ndim > 1:
        x[1, ..., 0], x[2, ..., 0], x[2, ..., -1] = np.nan, np.inf, -np.inf
    for layout in (x, np.asfortranarray(x), np.concatenate([x, x])[:: 2 if len(x) > 1 else 1]):
        for axis in (-1, layout.ndim - 1, 0, None):
            for keepdims in (False, True):

                def run(x, axis=axis, keepdims=keepdims):
                    xp = pn.array_namespace(x)
                    found = getattr(xp, name)(x * 1, axis=axis, keepdims=keepdims)
                    return found, found * 2  # as a result, and on the way to one

                expected = getattr(np, name)(layout, axis=axis, keepdims=keepdims)
                for y, part in (run(layout), pn.jit(run)(layout)):
                    assert (type(y), y.dtype) == (type(expected), expected.dtype)
                    np.testing.assert_array_equal(y, expected, strict=True)
                    np.testing.assert_array_equal(part, expected * 2)


def test_many_short_rows_become_columns():
    x = np.ones((40, 5), np.float32)
    assert ".T.copy()" in pn.jit(lambda x: np.max(x, axis=-1)).source(x)
    assert ".T.copy()" not in pn.jit(lambda x: np.max(x, axis=0)).source(x)


@pytest.mark.parametrize(
    ("shape", "axis", "expected"),
    [
        ((32, 32), -1, True), ((32, 32), 1, True), ((32, 32), 0, False), ((31, 32), -1, False),
        ((32, 33), -1, False), ((4, 8, 5), 2, True), ((4, 8, 5), None, False), ((32,), -1, False),
        ((32, 1), -1, False), ((32, 0), -1, False), ((4, 8, 5), (2,), False),
    ],
)  # fmt: skip
def test_which_rows_are_short(shape, axis, expected):
    assert has_short_rows(shape, axis) is expected


def test_a_maximum_of_nothing_is_refused():
    with pytest.raises(ValueError, match="zero-size"):
        pn.jit(lambda x: np.max(x, axis=-1))(np.ones((40, 0), np.float32))


BOUNDS = [0.0, 0, 1.5, -2, -0.0, np.inf, -np.inf, np.nan, np.float64(0.25), True]
SIZES = [(), (1,), (7,), (128, 16), (1, 5), (0, 3), (3, 1030), (2, 9000), (40, 4, 32)]


@pytest.mark.parametrize("shape", SIZES)
@pytest.mark.parametrize("dtype", ["float32", "float64", "float16", "int64", "complex64"])
@pytest.mark.parametrize("name", ["maximum", "minimum"])
def test_numbers_as_bounds(shape, dtype, name):
    x = np.asarray(np.random.default_rng(0).normal(size=shape) * 3).astype(dtype)
    if x.size > 5 and dtype != "int64":
        x.reshape(-1)[:5] = np.nan, np.inf, -np.inf, 0.0, -0.0
    ufunc = getattr(np, name)
    for bound in BOUNDS:
        if dtype in ("int64", "complex64") and type(bound) is not int:
            continue
        for run in (lambda x, c=bound: ufunc(x, c), lambda x, c=bound: -ufunc(c, -x)):
            expected, found = run(x), pn.jit(run)(x)
            assert (np.shape(found), found.dtype) == (np.shape(expected), expected.dtype)
            np.testing.assert_array_equal(found, expected)
            if dtype.startswith("float"):
                np.testing.assert_array_equal(np.signbit(found), np.signbit(expected))


@pytest.mark.parametrize(
    ("bound", "shape", "text"),
    [
        (1.0, (4, 5), "clip("), (0.0, (4, 5), "(4, 5)"), (0.0, (40, 4, 32), "(40, 4, 32)"),
        (0.0, (9, 2, 8, 128), "(8, 128)"), (0.0, (3, 9000), "()"), (0.0, (9000,), "()"),
    ],
)  # fmt: skip
def test_how_a_bound_is_written(bound, shape, text):
    x = np.ones(shape, np.float32)
    run = pn.jit(lambda x: np.maximum(x, bound) * 2.0)
    source = run.source(x)
    assert ("clip(" in source) == (text == "clip(")
    assert ("maximum(" in source) == (text != "clip(")


def test_bounds_in_blocks():
    x = np.random.default_rng(0).normal(size=(3000, 100)).astype(np.float32)

    def run(x):
        column = np.maximum(x[:, :1] + 1.0, 0.0)
        return np.maximum(x * column, 0.0) * np.minimum(x + 1.0, 0) + np.maximum(x, 0.5)

    recorded = pn.jit(run)
    for _ in range(2):
        np.testing.assert_array_equal(recorded(x), run(x))
    assert "for k" in recorded.source(x)
