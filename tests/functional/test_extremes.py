"""Derivatives at singular points, the same on every library."""

from __future__ import annotations

import numpy as np

import portanet as pn


def test_the_determinant_of_singular_matrices(backend):
    xp = backend.xp
    gradient = pn.grad(lambda a: xp.sum(xp.linalg.det(a)))
    for matrix, cofactors in (
        (np.diag([1.0, 2.0, 0.0]), np.diag([0.0, 0.0, 2.0])),
        (np.asarray([[1.0, 2.0], [2.0, 4.0]]), [[4.0, -2.0], [-2.0, 1.0]]),
        (np.stack([np.eye(2), np.zeros((2, 2))]), np.stack([np.eye(2), np.zeros((2, 2))])),
    ):
        got = backend.to_numpy(gradient(backend.asarray(matrix)))
        np.testing.assert_allclose(got, cofactors, atol=1e-12)


def test_the_power_0_of_0_is_flat(backend):
    gradient = pn.grad(lambda x: backend.xp.pow(x, 0.0))(backend.asarray(np.asarray(0.0)))
    assert float(gradient) == 0.0


def test_tanh_shrink_keeps_its_digits(backend):
    x = np.asarray([1e-4, 0.01, 0.3])
    series = x**3 / 3 - 2 * x**5 / 15 + 17 * x**7 / 315 - 62 * x**9 / 2835
    series += 1382 * x**11 / 155925
    got = backend.to_numpy(pn.tanh_shrink(backend.asarray(x)))
    np.testing.assert_allclose(got[:2], series[:2], rtol=1e-14)
    np.testing.assert_allclose(got[2], series[2], rtol=1e-6)
