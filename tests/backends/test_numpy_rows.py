"""NumPy's own softmaxes and error-function GELU, where their short ways end."""

from __future__ import annotations

import numpy as np
import pytest

import portanet as pn
from portanet.backends.numpy import activations as numpy_activations
from portanet.backends.numpy import rows as numpy_rows
from portanet.functional.sequences.attention import masked_softmax

special = pytest.importorskip("scipy.special")


def _rows(dtype):
    """Logits of which one maximum serves all rows, and such of which it does not."""
    rng = np.random.default_rng(0)
    near = rng.normal(size=(3, 50, 1000))
    far = near + np.where(np.arange(50) % 7 == 0, -300.0, 0.0)[:, None]
    return [near.astype(dtype), far.astype(dtype), near[..., ::2].astype(dtype)[:, ::3]]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("jit", [False, True])
def test_softmaxes_are_scipys(dtype, jit):
    for x in _rows(dtype):
        for function in (pn.softmax, masked_softmax, lambda x: pn.softmax(x, axis=1)):
            axis = 1 if function not in (pn.softmax, masked_softmax) else -1
            y = (pn.jit(function) if jit else function)(x)
            assert y.dtype == x.dtype
            expected = special.softmax(x.astype(np.float64), axis=axis)
            np.testing.assert_allclose(
                y, expected, rtol={"float32": 5e-6, "float64": 1e-13}[dtype], atol=1e-37
            )


def test_a_row_of_minus_infinity_is_zero_and_nan_stays_in_its_row():
    x = np.zeros((4, 3), np.float32)
    x[1], x[2, 0], x[3, 1] = -np.inf, -np.inf, np.nan
    y = masked_softmax(x)
    np.testing.assert_allclose(y[:3], [[1 / 3] * 3, [0] * 3, [0, 0.5, 0.5]], rtol=1e-6)
    assert np.isnan(y[3]).all()
    with np.errstate(invalid="ignore"):
        y = pn.softmax(np.asarray([[0.0, np.inf], [0.0, 0.0]]))
    np.testing.assert_array_equal(y[1], [0.5, 0.5])
    assert np.isnan(y[0, 1])


def test_softmaxes_of_other_dtypes_and_of_nothing():
    x = np.random.default_rng(0).normal(size=(5, 4))
    for dtype in ("float16", "longdouble"):
        for y in (pn.softmax(x.astype(dtype)), masked_softmax(x.astype(dtype))):
            assert y.dtype == dtype
            np.testing.assert_allclose(y.astype(float), special.softmax(x, axis=-1), rtol=3e-3)
    assert masked_softmax(np.ones((0, 3), np.float32)).shape == (0, 3)
    out = np.empty((5, 4))
    assert numpy_rows.softmax(x, out=out) is out
    np.testing.assert_allclose(out, special.softmax(x, axis=-1), rtol=1e-13)


@pytest.mark.parametrize("jit", [False, True])
def test_gelu_in_float32_is_that_of_the_normal_distribution(jit):
    x = np.linspace(-13, 20, 100_001, dtype=np.float32)
    y = (pn.jit(pn.gelu_erf) if jit else pn.gelu_erf)(x)
    expected = x * np.exp(special.log_ndtr(x.astype(np.float64)))
    np.testing.assert_allclose(y, expected, rtol=5e-6)
    np.testing.assert_allclose(y[np.abs(x) < 5], expected[np.abs(x) < 5], rtol=3e-6, atol=1e-7)
    ends = pn.gelu_erf(np.asarray([np.inf, 1e30, 0.0, -40.0, -1e30, np.nan], np.float32))
    np.testing.assert_array_equal(ends, np.asarray([np.inf, 1e30, 0, 0, 0, np.nan], np.float32))
    turned = x[:99_000].reshape(100, 990).T
    np.testing.assert_array_equal(pn.gelu_erf(turned), y[:99_000].reshape(100, 990).T)


def test_gelu_in_float64_is_the_generic_one():
    x = np.linspace(-30, 30, 1001)
    out = np.empty_like(x)
    assert numpy_activations.gelu_erf(x, out=out) is out
    np.testing.assert_allclose(out, x * np.exp(special.log_ndtr(x)), rtol=1e-12)


@pytest.mark.parametrize("jit", [False, True])
def test_products_with_matrices_turned_over_are_right(jit):
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(3, 9, 5)), rng.normal(size=(3, 8, 5))
    product = pn.jit(lambda x, y: x @ y.mT) if jit else lambda x, y: x @ y.mT
    np.testing.assert_allclose(product(x, y), np.einsum("nij,nkj->nik", x, y), rtol=1e-12)
    xp = pn.array_namespace(x)
    np.testing.assert_array_equal(xp.matmul(x, y.mT), product(x, y))
