"""Derivatives of a function of any library against finite differences in float64."""

from __future__ import annotations

import numpy as np
import pytest

import portanet as pn


def check_derivatives(backend, function, arrays, rtol=1e-6):
    """Both modes, and second order, of the weighted sum of `function`."""
    xp = backend.xp

    def loss(*xs):
        y = function(*xs)
        w = backend.asarray(np.cos(np.arange(1.0, y_size + 1)).reshape(tuple(y.shape)))
        return xp.sum(w * y + w * y * y)

    y_size = int(np.prod(tuple(function(*map(backend.asarray, arrays)).shape), dtype=int))
    directions = [np.sin(np.arange(2.0, 2.0 + x.size)).reshape(x.shape) for x in arrays]
    every = tuple(range(len(arrays)))
    gradient = pn.grad(loss, every)

    def at(step):
        moved = (x + step * v for x, v in zip(arrays, directions, strict=True))
        return list(map(backend.asarray, moved))

    step = 1e-5
    value = [float(backend.to_numpy(loss(*at(s)))) for s in (step, -step)]
    expected = (value[0] - value[1]) / (2 * step)
    parts = map(backend.to_numpy, gradient(*at(0)))
    reverse = sum(np.sum(g * v) for g, v in zip(parts, directions, strict=True))
    tangents = tuple(map(backend.asarray, directions))
    forward, second = (pn.jvp(f, tuple(at(0)), tangents)[1] for f in (loss, gradient))
    assert reverse == pytest.approx(expected, rel=rtol, abs=1e-7)
    assert float(backend.to_numpy(forward)) == pytest.approx(expected, rel=rtol, abs=1e-7)
    for s, up, down in zip(second, gradient(*at(step)), gradient(*at(-step)), strict=True):
        difference = (backend.to_numpy(up) - backend.to_numpy(down)) / (2 * step)
        np.testing.assert_allclose(backend.to_numpy(s), difference, rtol=rtol, atol=1e-6)
