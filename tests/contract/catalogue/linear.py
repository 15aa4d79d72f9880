"""Cases of linear layers and embeddings."""

from __future__ import annotations

from contract.catalogue.builders import LayerCase, floats, indices, several

import portanet as pn
from portanet import initializers as init

LAYERS = {
    "Dense": LayerCase(lambda: pn.Dense(3, 4, pn.tanh), floats(3)),
    "Dense, no bias, three axes": LayerCase(
        lambda: pn.Dense(3, 2, pn.relu, use_bias=False), floats(2, 3)
    ),
    "Dense, own initializers": LayerCase(
        lambda: pn.Dense(3, 2, init_weight=init.glorot_uniform(), init_bias=init.ones()),
        floats(3),
    ),
    "Scale": LayerCase(lambda: pn.Scale((2, 3), pn.sigmoid), floats(2, 3)),
    "Scale, no bias": LayerCase(lambda: pn.Scale(3, use_bias=False), floats(3)),
    "Bilinear": LayerCase(lambda: pn.Bilinear((2, 3), 4, pn.tanh), several(floats(2), floats(3))),
    "Bilinear, one input, no bias": LayerCase(
        lambda: pn.Bilinear(3, 2, use_bias=False), floats(2, 3)
    ),
    "Embedding": LayerCase(lambda: pn.Embedding(5, 3), indices(5, 2)),
}
