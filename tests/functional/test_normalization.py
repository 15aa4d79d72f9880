"""NumPy's own kernels of normalisation compute what the generic bodies do."""

from __future__ import annotations

import numpy as np
import pytest

import portanet as pn
from portanet.backends.numpy import normalization as native
from portanet.functional.normalization import features as generic

hypothesis = pytest.importorskip("hypothesis")
st = hypothesis.strategies

arrays = {
    "shape": st.lists(st.integers(0, 4), min_size=1, max_size=3),
    "rank": st.integers(1, 2),
    "dtype": st.sampled_from(["float16", "float32", "float64"]),
    "turned": st.booleans(),
}
few = hypothesis.settings(max_examples=60, deadline=None, derandomize=True, database=None)


def draw(shape, rank, dtype, turned, seed=0):
    hypothesis.assume(rank <= len(shape))
    hypothesis.assume(0 not in shape[len(shape) - rank :])
    x = np.random.default_rng(seed).normal(3.0, 2.0, size=shape[::-1] if turned else shape)
    return (x.T if turned else x).astype(dtype)


def check(actual, expected, dtype):
    assert actual.dtype == dtype
    assert actual.shape == expected.shape
    slack = 64 * np.finfo(dtype).eps
    np.testing.assert_allclose(actual, expected, rtol=slack, atol=slack)


@few
@hypothesis.given(**arrays, last=st.booleans())
def test_standardize_and_its_derivative(shape, rank, dtype, turned, last):
    x = draw(shape, rank, dtype, turned)
    d = draw(shape, rank, dtype, not turned, seed=1)
    axes = tuple(range(-rank, 0)) if last else tuple(range(len(shape) - rank, len(shape)))
    y = native.standardize(x, axes, 0.1)
    check(y, generic.standardize.__wrapped__(x, axes, 0.1), dtype)
    expected = generic.standardize_scale.__wrapped__(d, y, x, axes, 0.1)
    check(native.standardize_scale(d, y, x, axes, 0.1), expected, dtype)


@few
@hypothesis.given(**arrays, scaled=st.booleans(), shifted=st.booleans())
def test_layer_norm(shape, rank, dtype, turned, scaled, shifted):
    x = draw(shape, rank, dtype, turned)
    scale, bias = (draw(shape[-rank:], rank, dtype, False, seed) for seed in (1, 2))
    given = scale if scaled else None, bias if shifted else None
    before = x.copy()
    actual = native.layer_norm(x, *given, rank=rank, epsilon=0.1)
    check(actual, generic.layer_norm.__wrapped__(x, *given, rank=rank, epsilon=0.1), dtype)
    np.testing.assert_array_equal(x, before)


def test_constant_rows_are_zero_and_large_means_do_no_harm():
    x = np.full((3, 100), 1e4, np.float32)
    np.testing.assert_array_equal(pn.functional.layer_norm(x), 0.0)
    noise = np.random.default_rng(0).normal(size=(3, 1000))
    x = (noise + 1000).astype(np.float32)
    expected = (x - x.mean(axis=1, keepdims=True, dtype=np.float64)) / x.std(
        axis=1, keepdims=True, dtype=np.float64
    )
    np.testing.assert_allclose(pn.functional.layer_norm(x), expected, rtol=0, atol=1e-3)
