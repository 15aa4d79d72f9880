"""Sums of many float32 on every library: as good as pairwise ones, whatever the axis."""

from __future__ import annotations

import numpy as np
import pytest

import portanet as pn

X = np.random.default_rng(0).uniform(0.1, 1.0, size=(200_000, 3)).astype(np.float32)
WIDE = X.astype(np.float64)
EXPONENTIALS = np.exp(WIDE)
SOFTMAX = EXPONENTIALS / EXPONENTIALS.sum(axis=0)


def _error(backend, y, wanted):
    return np.max(np.abs(backend.to_numpy(y) / wanted - 1)) / 2.0**-23


@pytest.mark.parametrize("name", ["sum", "mean", "std", "var", "vector_norm"])
def test_reductions_along_the_first_axis(backend, name):
    x = backend.asarray(X)
    spaces = pn.array_namespace(x), np
    ours, theirs = (getattr(m.linalg if name == "vector_norm" else m, name) for m in spaces)
    assert _error(backend, ours(x, axis=0), theirs(WIDE, axis=0)) < 8


def test_softmax_of_long_columns(backend):
    y = pn.functional.softmax(backend.asarray(X), axis=0)
    assert _error(backend, y, SOFTMAX) < 8
    y = pn.functional.log_softmax(backend.asarray(X), axis=0)
    assert _error(backend, y, np.log(SOFTMAX)) < 8


def test_a_long_norm_of_zeros_has_the_derivative_zero(backend):
    norm = pn.array_namespace(backend.asarray(X)).linalg.vector_norm
    x = backend.xp.zeros_like(backend.asarray(X))
    assert not np.any(backend.to_numpy(pn.grad(norm)(x)))
    got = backend.to_numpy(pn.grad(norm)(backend.asarray(X)))
    np.testing.assert_allclose(got, WIDE / np.linalg.norm(WIDE), rtol=1e-6)
