"""Cases of attention, positions and embeddings."""

from __future__ import annotations

import numpy as np
from contract.catalogue.builders import LayerCase, floats, indices, several

import portanet as pn


def _offsets(rng: np.random.Generator, n: int) -> tuple[np.ndarray, np.ndarray]:
    return rng.integers(0, 5, size=6), np.sort(rng.integers(0, 6, size=n))


def _masked(rng: np.random.Generator, n: int) -> tuple[np.ndarray, ...]:
    mask = rng.uniform(size=(n, 1, 3, 4)) < 0.6
    x, memory = rng.normal(size=(n, 3, 4)), rng.normal(size=(n, 4, 4))
    return x, memory, memory, mask


# Norms of few features bend so much that finite differences need an epsilon of that size.
LAYERS = {
    "MultiHeadAttention": LayerCase(lambda: pn.MultiHeadAttention(4, 2), floats(3, 4)),
    "MultiHeadAttention, grouped, rotary, causal": LayerCase(
        lambda: pn.MultiHeadAttention(
            4, 2, kv_heads=1, causal=True, positions=pn.RotaryPositionalEmbedding(2, 5)
        ),
        floats(3, 4),
    ),
    "MultiHeadAttention, all sizes, weights": LayerCase(
        lambda: pn.MultiHeadAttention(
            2,
            2,
            key_features=3,
            value_features=4,
            head_features=3,
            value_head_features=1,
            out_features=5,
            use_bias=True,
            use_out_bias=False,
            return_weights=True,
        ),
        several(floats(2, 2), floats(3, 3), floats(3, 4)),
    ),
    "MultiHeadAttention, masked, dropout": LayerCase(
        lambda: pn.MultiHeadAttention(4, 2, dropout=0.4), _masked
    ),
    "TransformerEncoderLayer": LayerCase(
        lambda: pn.TransformerEncoderLayer(4, 2, 5, dropout=0.2, epsilon=2.0), floats(2, 4)
    ),
    "TransformerDecoderLayer": LayerCase(
        lambda: pn.TransformerDecoderLayer(4, 2, 5, pn.tanh, norm_first=False, epsilon=9.0),
        several(floats(2, 4), floats(3, 4)),
    ),
    "TransformerStack": LayerCase(
        lambda: pn.TransformerStack(pn.Dense(4, 4, pn.tanh), 2, norm=pn.LayerNorm(4, epsilon=2.0)),
        floats(2, 4),
    ),
    "Embedding with padding": LayerCase(lambda: pn.Embedding(5, 3, padding_index=0), indices(5, 2)),
    "Embedding of pairs": LayerCase(
        lambda: pn.Embedding((5, 2), 3), several(indices(5, 2), indices(2, 2))
    ),
    "EmbeddingBag": LayerCase(lambda: pn.EmbeddingBag(5, 3, padding_index=1), indices(5, 4)),
    "EmbeddingBag, largest": LayerCase(
        lambda: pn.EmbeddingBag(5, 3, reduction="max"), indices(5, 4)
    ),
    "EmbeddingBag with offsets": LayerCase(
        lambda: pn.EmbeddingBag(5, 3, reduction="sum"), _offsets
    ),
    "LearnedPositionalEmbedding": LayerCase(
        lambda: pn.LearnedPositionalEmbedding(5, 3), floats(4, 3)
    ),
    "LearnedPositionalEmbedding, given": LayerCase(
        lambda: pn.LearnedPositionalEmbedding(5, 3), several(floats(4, 3), indices(5, 4))
    ),
    "SinusoidalPositionalEmbedding": LayerCase(
        lambda: pn.SinusoidalPositionalEmbedding(6, min_freq=0.1, full_turns=True), floats(2)
    ),
    "RotaryPositionalEmbedding": LayerCase(
        lambda: pn.RotaryPositionalEmbedding(4, 6), floats(3, 2, 4)
    ),
    "RotaryPositionalEmbedding, interleaved, given": LayerCase(
        lambda: pn.RotaryPositionalEmbedding(4, 6, base=100.0, interleaved=True),
        several(floats(3, 2, 4), indices(6, 3)),
    ),
}
