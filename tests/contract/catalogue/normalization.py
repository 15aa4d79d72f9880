"""Cases of normalisation and regularisation."""

from __future__ import annotations

from contract.catalogue.builders import NO_VALUES, TRAIN, LayerCase, floats

import portanet as pn

LAYERS = {
    "LayerNorm": LayerCase(lambda: pn.LayerNorm(4, pn.tanh), floats(4)),
    "LayerNorm, two axes": LayerCase(lambda: pn.LayerNorm((2, 3), epsilon=0.01), floats(2, 3)),
    "LayerNorm, not affine": LayerCase(lambda: pn.LayerNorm(4, affine=False), floats(2, 4)),
    "BatchNorm": LayerCase(lambda: pn.BatchNorm(3, pn.tanh), floats(3), NO_VALUES, TRAIN),
    "BatchNorm, three axes": LayerCase(
        lambda: pn.BatchNorm(3, momentum=0.3), floats(2, 3), NO_VALUES, TRAIN
    ),
    "BatchNorm, not affine, no statistics": LayerCase(
        lambda: pn.BatchNorm(3, affine=False, track_stats=False),
        floats(2, 3),
        NO_VALUES,
        ("train", "test"),
    ),
    "Dropout": LayerCase(lambda: pn.Dropout(0.4), floats(2, 3)),
    "Dropout along one axis": LayerCase(lambda: pn.Dropout(0.5, axes=(0, -1)), floats(2, 3)),
    "Dropout of everything": LayerCase(lambda: pn.Dropout(1.0), floats(3)),
}
