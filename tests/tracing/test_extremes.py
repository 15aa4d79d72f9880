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
