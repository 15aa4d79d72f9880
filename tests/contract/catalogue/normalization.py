"""Cases of normalisation and regularisation."""

from __future__ import annotations

from contract.catalogue.builders import NO_VALUES, TRAIN, LayerCase, floats, several

import portanet as pn

LAYERS = {
    "LayerNorm": LayerCase(lambda: pn.LayerNorm(4, pn.tanh), floats(4)),
    "LayerNorm, two axes": LayerCase(lambda: pn.LayerNorm((2, 3), epsilon=0.01), floats(2, 3)),
    "LayerNorm, not affine": LayerCase(lambda: pn.LayerNorm(4, affine=False), floats(2, 4)),
    "BatchNorm": LayerCase(lambda: pn.BatchNorm(3, pn.tanh), floats(3), NO_VALUES, TRAIN),
    "BatchNorm, three axes": LayerCase(
        lambda: pn.BatchNorm(3, momentum=0.3), floats(2, 3), NO_VALUES, TRAIN
    ),
    "BatchNorm, average of all batches": LayerCase(
        lambda: pn.BatchNorm(3, momentum=None), floats(2, 3), NO_VALUES, TRAIN
    ),
    "BatchNorm, not affine, no statistics": LayerCase(
        lambda: pn.BatchNorm(3, affine=False, track_stats=False),
        floats(2, 3),
        NO_VALUES,
        ("train", "test"),
    ),
    "GroupNorm": LayerCase(lambda: pn.GroupNorm(4, 2, pn.tanh), floats(3, 4)),
    "InstanceNorm": LayerCase(lambda: pn.InstanceNorm(2, pn.tanh), floats(3, 2)),
    "InstanceNorm, affine, statistics": LayerCase(
        lambda: pn.InstanceNorm(2, affine=True, track_stats=True, momentum=0.3),
        floats(2, 2, 2),
        NO_VALUES,
        TRAIN,
    ),
    "RMSNorm": LayerCase(lambda: pn.RMSNorm(4), floats(4)),
    "RMSNorm, two axes, not affine": LayerCase(
        lambda: pn.RMSNorm((2, 3), affine=False, epsilon=0.01), floats(2, 3)
    ),
    "WeightNorm": LayerCase(lambda: pn.WeightNorm(pn.Dense(3, 2, pn.tanh)), floats(3)),
    "WeightNorm of the other axis": LayerCase(
        lambda: pn.WeightNorm(pn.Bilinear((2, 3), 4), axis=-1), several(floats(2), floats(3))
    ),
    "SpectralNorm": LayerCase(
        lambda: pn.SpectralNorm(pn.Dense(3, 2), iterations=3), floats(3), smooth=("test",)
    ),
    "SpectralNorm of a layer with states": LayerCase(
        lambda: pn.SpectralNorm(pn.WeightNorm(pn.Dense(3, 2)), "weight_v"),
        floats(3),
        smooth=("test",),
    ),
    "Dropout": LayerCase(lambda: pn.Dropout(0.4), floats(2, 3)),
    "Dropout along one axis": LayerCase(lambda: pn.Dropout(0.5, axes=(0, -1)), floats(2, 3)),
    "AlphaDropout": LayerCase(lambda: pn.AlphaDropout(0.3), floats(2, 3)),
    "DropPath": LayerCase(lambda: pn.DropPath(0.3), floats(2, 3)),
    "VariationalHiddenDropout": LayerCase(
        lambda: pn.VariationalHiddenDropout(0.3, axes=(0, -1)), floats(2, 3)
    ),
    "Dropout of everything": LayerCase(lambda: pn.Dropout(1.0), floats(3)),
}
