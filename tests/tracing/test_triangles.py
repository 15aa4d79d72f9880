"""Triangles of matrices, recorded and not."""

from __future__ import annotations

import numpy as np
import pytest

import portanet as pn


@pytest.mark.parametrize("shape", [(3, 3), (2, 5), (5, 2), (4, 3, 3), (2, 0), (300, 300)])
@pytest.mark.parametrize("dtype", ["float32", "float64", "float16", "complex64", "int64", "bool"])
@pytest.mark.parametrize("name", ["tril", "triu"])
def test_values(shape, dtype, name):
    x = (np.random.default_rng(0).normal(size=shape) * 3).astype(dtype)
    if dtype not in ("int64", "bool") and x.size:
        x[..., 0, :] = np.nan
        x[..., 1, :] = np.inf

    for k in (-4, -1, 0, 1, 4):

        def run(x, k=k):
            part = getattr(pn.array_namespace(x), name)(x, k=k)
            return part, -part if dtype != "bool" else part  # as a result, and on the way to one

        expected, further = getattr(np, name)(x, k), run(x)[1]
        recorded = pn.jit(run)
        for given in (x, np.asfortranarray(x), x[..., ::-1][..., ::-1]):
            found, other = recorded(given)
            np.testing.assert_array_equal(found, expected, strict=True)
            np.testing.assert_array_equal(other, further, strict=True)


def test_the_mask_of_a_small_matrix_is_kept():
    run = pn.jit(lambda x: np.tril(x * 2.0) * 3.0)
    assert "copyto" in run.source(np.ones((3, 3)))
    assert "copyto" not in run.source(np.ones((300, 300)))
