"""Products of one row with the transpose of a matrix."""

from __future__ import annotations

import numpy as np
import pytest

import portanet as pn


@pytest.mark.parametrize("rows", [0, 1, 2])
@pytest.mark.parametrize("dtype", ["float32", "float64", "complex64"])
def test_values_are_those_of_the_product(rows, dtype):
    rng = np.random.default_rng(0)
    x, w, v = (rng.normal(size=shape).astype(dtype) for shape in ((rows, 5), (7, 5), (3, 7)))

    def run(x, w, v):
        y = x @ w.T
        return y, (y + 1.0) @ v.T, np.exp(x) @ w.T

    for layout in (np.asarray, np.asfortranarray):
        recorded = pn.jit(run)
        for _ in range(2):
            for found, expected in zip(
                recorded(layout(x), layout(w), v), run(x, w, v), strict=True
            ):
                assert (found.dtype, found.shape) == (expected.dtype, expected.shape)
                np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_a_row_is_multiplied_by_the_matrix_as_it_lies():
    x, w = np.ones((1, 5)), np.ones((7, 5))
    recorded = pn.jit(lambda x, w: x @ w.T)
    assert "mT" not in recorded.source(x, w)
    assert ".transpose" not in recorded.source(x, w)
    x = np.ones((2, 5))
    assert "transpose" in recorded.source(x, w) or "mT" in recorded.source(x, w)


def test_a_constant_row_is_multiplied_in_a_replay():
    """A recording that failed on it ran as it is, with a warning: d²u/dx² of a network did."""
    row, w = np.asarray([[1.0, -2.0, 3.0]]), np.arange(12.0).reshape(4, 3)
    for turned in (lambda w: w.T, lambda w: np.swapaxes(w, 0, 1)):
        recorded = pn.jit(lambda w, turned=turned: np.tanh(row @ turned(w)))
        np.testing.assert_array_equal(recorded(w), np.tanh(row @ w.T))
        assert "run as it is" not in recorded.source(w)


def test_results_share_no_memory():
    recorded = pn.jit(lambda x, w: (x @ w.T, (x @ w.T) * 2.0))
    x, w = np.ones((1, 5)), np.ones((7, 5))
    first, _ = recorded(x, w)
    recorded(2.0 * x, w)
    np.testing.assert_array_equal(first, np.full((1, 7), 5.0))
