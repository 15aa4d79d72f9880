"""What a mask excludes reaches neither the value nor the gradient, be it NaN."""

from __future__ import annotations

import numpy as np
import pytest

import portanet as pn
from portanet import functional as F


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("cell", [pn.RNNCell, pn.LSTMCell, pn.GRUCell])
def test_the_padding_of_a_sequence(backend, cell, reverse):
    layer = pn.Recurrence(cell(2, 3), return_sequence=True, reverse=reverse)
    ps, st = pn.setup(0, layer, dtype="float64", device=backend.place)
    rng = np.random.default_rng(0)
    x = rng.normal(size=(2, 4, 2))
    mask = np.asarray([[True] * 4, [True, True, False, False]])
    hidden = np.where(mask[..., None], x, np.nan)

    def total(ps, x):
        return backend.xp.sum(layer((x, None, backend.asarray(mask)), ps, st)[0] ** 2)

    plain, other = (
        pn.value_and_grad(total, argnums=(0, 1))(ps, backend.asarray(a)) for a in (x, hidden)
    )
    for a, b in zip(pn.trees.leaves(plain), pn.trees.leaves(other), strict=True):
        np.testing.assert_allclose(backend.to_numpy(b), backend.to_numpy(a), atol=1e-12)


def test_keys_that_no_query_sees(backend):
    rng = np.random.default_rng(0)
    q, k, v = rng.normal(size=(3, 2, 5, 4, 3))
    mask = np.ones((2, 1, 1, 5), bool)
    mask[1, ..., 3:] = False
    hidden_k, hidden_v = k.copy(), v.copy()
    hidden_k[1, 3:], hidden_v[1, 3:] = np.nan, np.inf
    there = backend.asarray(mask)

    def total(q, k, v):
        return backend.xp.sum(F.scaled_dot_product_attention(q, k, v, there) ** 2)

    plain, other = (
        pn.value_and_grad(total, argnums=(0, 1, 2))(*map(backend.asarray, given))
        for given in ((q, k, v), (q, hidden_k, hidden_v))
    )
    for a, b in zip(pn.trees.leaves(plain), pn.trees.leaves(other), strict=True):
        np.testing.assert_allclose(backend.to_numpy(b), backend.to_numpy(a), atol=1e-12)
    weights = F.attention_weights(backend.asarray(q), backend.asarray(hidden_k), there)
    assert np.isfinite(backend.to_numpy(weights)).all()


def test_the_row_of_the_padding_of_a_bag(backend):
    weight = np.asarray([[np.nan, np.nan], [1.0, 2.0], [3.0, 4.0]])
    bag = pn.EmbeddingBag(3, 2, reduction="sum", padding_index=0)
    y, _ = bag(backend.asarray(np.asarray([[1, 2, 0]])), {"weight": backend.asarray(weight)}, {})
    np.testing.assert_array_equal(backend.to_numpy(y), [[4.0, 6.0]])
