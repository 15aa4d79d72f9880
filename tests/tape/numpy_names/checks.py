"""What is asked of every call on a traced array, against the call on a plain one."""

from __future__ import annotations

import numpy as np

import portanet as pn

STEP = 1e-6


def check_values(function, x, rtol=0.0):
    """The value has the bits of the plain call, or lies within a tolerance."""
    want = np.asarray(function(x))
    for got in (pn.vjp(function, x)[0], pn.jvp(function, (x,), (np.ones_like(x),))[0]):
        _check_same(got, want, rtol)


def check_derivatives(function, x):
    """Reverse and forward mode and the second derivative, against central differences."""

    def scalar(x):
        y = np.real(function(x))
        return np.sum(y * np.cos(np.arange(1.0, y.size + 1)).reshape(y.shape))

    direction = np.cos(np.arange(2.0, 2.0 + x.size)).reshape(x.shape)
    direction = np.where(np.isnan(x), 0.0, direction)
    slope = (scalar(x + STEP * direction) - scalar(x - STEP * direction)) / (2 * STEP)
    gradient = pn.grad(scalar)(x)
    assert gradient.shape == x.shape
    np.testing.assert_allclose(np.sum(gradient * direction), slope, rtol=2e-7, atol=2e-8)
    _, tangent = pn.jvp(scalar, (x,), (direction,))
    np.testing.assert_allclose(tangent, np.sum(gradient * direction), rtol=1e-12, atol=1e-13)
    bent = pn.grad(scalar)(x + STEP * direction) - pn.grad(scalar)(x - STEP * direction)
    second = pn.hvp(scalar, x, direction)
    np.testing.assert_allclose(second, bent / (2 * STEP), rtol=1e-6, atol=1e-6)


def check_replays(function, x, rtol=2e-15):
    want = np.asarray(function(x))
    recorded = pn.jit(function)
    first = recorded(x)
    _check_same(first, want, rtol)
    for _ in range(2):
        got = np.asarray(recorded(x))
        np.testing.assert_array_equal(got, first)
        assert got.dtype == want.dtype


def check_batches(function, x, rtol=1e-14):
    batch = np.stack([x, x * 1.01, x * 0.99])
    want = np.stack([function(row) for row in batch])
    _check_same(pn.vmap(function)(batch), want, rtol)


def check_gradients(function, x):
    """The gradient, recorded and batched, is the gradient."""

    def scalar(x):
        return np.sum(np.real(function(x)) ** 2)

    slope = pn.grad(scalar)
    want = slope(x)
    recorded = pn.jit(slope)
    for _ in range(3):
        np.testing.assert_allclose(recorded(x), want, rtol=1e-13, atol=1e-13)
    for row in pn.vmap(slope)(np.stack([x, x])):
        np.testing.assert_allclose(row, want, rtol=1e-13, atol=1e-13)


def _check_same(got, want, rtol):
    got = np.asarray(got)
    assert got.shape == want.shape
    assert got.dtype == want.dtype
    np.testing.assert_allclose(got, want, rtol=rtol, atol=rtol)
