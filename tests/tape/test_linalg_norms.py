"""The norms of ``xp.linalg`` at their kinks, at extremes, and with orders that do not exist."""

from __future__ import annotations

import math
import re

import numpy as np
import pytest

import portanet as pn

taped = pytest.mark.parametrize("backend", ["numpy", "array_api_strict", "cupy"], indirect=True)


@taped
@pytest.mark.parametrize("dtype", [np.float64, np.complex128])
@pytest.mark.parametrize("order", ["fro", "nuc", 1, 2, math.inf, -1, -2, -math.inf])
def test_matrix_norms_have_the_subgradient_zero_at_the_zero_matrix(backend, order, dtype):
    xp, x = backend.xp, backend.asarray(np.zeros((4, 3), dtype))

    def norm(x):
        return xp.linalg.matrix_norm(x, ord=order)

    np.testing.assert_array_equal(backend.to_numpy(pn.grad(norm)(x)), np.zeros((4, 3)))
    v = backend.asarray(np.ones((4, 3), dtype))
    assert float(backend.to_numpy(pn.jvp(norm, (x,), (v,))[1])) == 0


@taped
def test_the_nuclear_norm_of_low_rank_has_its_smallest_subgradient(backend):
    x = backend.asarray(np.asarray([[3.0, 0.0], [0.0, 0.0], [4.0, 0.0]]))
    gradient = pn.grad(lambda x: backend.xp.linalg.matrix_norm(x, ord="nuc"))(x)
    expected = [[0.6, 0.0], [0.0, 0.0], [0.8, 0.0]]
    np.testing.assert_allclose(backend.to_numpy(gradient), expected, atol=1e-15)


_ORDERS = (0, 1, 2, 3, 4, 0.5, 1.5, math.inf, -math.inf)


@taped
@pytest.mark.parametrize("dtype", [np.float64, np.complex128])
@pytest.mark.parametrize("order", _ORDERS)
def test_vector_norms_have_the_subgradient_zero_at_zero(backend, order, dtype):
    xp, x = backend.xp, backend.asarray(np.zeros((2, 3), dtype))
    v = backend.asarray(np.ones((2, 3), dtype))

    def norm(x):
        return xp.sum(xp.linalg.vector_norm(x, axis=1, ord=order))

    gradient = pn.grad(norm)
    for zero in (gradient(x), pn.jvp(gradient, (x,), (v,))[1]):
        np.testing.assert_array_equal(backend.to_numpy(zero), np.zeros((2, 3)))
    assert float(backend.to_numpy(pn.jvp(norm, (x,), (v,))[1])) == 0


@taped
@pytest.mark.parametrize("order", [o for o in _ORDERS if o != 0])
def test_vector_norms_with_an_element_of_zero(backend, order):
    xp = backend.xp
    x = backend.asarray(np.asarray([3.0, 0.0, -4.0]))
    gradient = pn.grad(lambda x: xp.linalg.vector_norm(x, ord=order))(x)
    if math.isinf(order):
        expected = [0.0, 0.0, -1.0 if order > 0 else 0.0]
    else:
        total = 3.0**order + 4.0**order
        expected = np.asarray([3.0 ** (order - 1), 0.0, -(4.0 ** (order - 1))]) * total ** (
            1 / order - 1
        )
    np.testing.assert_allclose(backend.to_numpy(gradient), expected, rtol=1e-14)


@taped
@pytest.mark.parametrize("order", [0.5, 1, 1.5, 2, math.inf])
@pytest.mark.parametrize("scale", [1e150, 1e-150])
def test_norms_of_huge_and_tiny_vectors(backend, order, scale):
    gradient = pn.grad(lambda x: backend.xp.linalg.vector_norm(x, ord=order))
    found, expected = (
        backend.to_numpy(gradient(backend.asarray(size * np.asarray([3.0, -4.0]))))
        for size in (scale, 1.0)
    )
    np.testing.assert_allclose(found, expected, rtol=1e-12)


@taped
def test_fourth_derivative_of_the_four_norm_at_an_element_of_zero(backend):
    xp = backend.xp

    def norm(t):
        return xp.linalg.vector_norm(xp.stack([t, xp.ones_like(t)]), ord=4)

    fourth = norm
    for _ in range(4):
        fourth = pn.grad(fourth)
    assert float(backend.to_numpy(fourth(backend.asarray(0.0)))) == pytest.approx(6.0, rel=1e-12)


@taped
def test_an_unknown_order_is_refused(backend):
    xp, x = backend.xp, backend.asarray(np.ones((2, 3)))
    text = "ord in ['fro', 'nuc', 2, -2, 1, -1, inf, -inf]: got 3"
    with pytest.raises(pn.errors.HyperparameterError, match=re.escape(text)):
        pn.grad(lambda x: xp.linalg.matrix_norm(x, ord=3))(x)
