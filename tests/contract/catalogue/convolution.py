"""Cases of convolution, pooling, padding and resampling."""

from __future__ import annotations

from contract.catalogue.builders import LayerCase, floats

import portanet as pn
from portanet import initializers as init

LAYERS = {
    "Conv": LayerCase(
        lambda: pn.Conv((3, 2), 2, 3, pn.tanh, stride=(2, 1), padding="same"), floats(4, 3, 2)
    ),
    "Conv, one axis, groups, no bias": LayerCase(
        lambda: pn.Conv(2, 4, 2, groups=2, dilation=2, use_bias=False), floats(4, 4)
    ),
    "Conv, own initializers, pairs": LayerCase(
        lambda: pn.Conv(
            (2,), 2, 2, padding=((1, 0),), init_weight=init.glorot_uniform(), init_bias=init.ones()
        ),
        floats(3, 2),
    ),
    "ConvTranspose": LayerCase(
        lambda: pn.ConvTranspose((3, 2), 2, 3, pn.tanh, stride=2, padding=1, output_padding=(1, 0)),
        floats(2, 2, 2),
    ),
    "ConvTranspose, one axis, groups, no bias": LayerCase(
        lambda: pn.ConvTranspose(2, 2, 4, groups=2, padding="same", stride=2, use_bias=False),
        floats(3, 2),
    ),
    "MaxPool": LayerCase(lambda: pn.MaxPool(2, stride=1, padding="same"), floats(3, 2, 2)),
    "MaxPool, dilated": LayerCase(lambda: pn.MaxPool((2,), dilation=2, padding=1), floats(4, 2)),
    "MeanPool": LayerCase(lambda: pn.MeanPool(2, padding=1), floats(3, 3, 1)),
    "MeanPool, padding not counted": LayerCase(
        lambda: pn.MeanPool((3,), stride=2, padding=((1, 1),), count_padding=False), floats(4, 2)
    ),
    "LPPool": LayerCase(lambda: pn.LPPool(2, p=3.0), floats(4, 2)),
    "GlobalMaxPool": LayerCase(lambda: pn.GlobalMaxPool(), floats(2, 3, 2)),
    "GlobalMeanPool": LayerCase(lambda: pn.GlobalMeanPool(), floats(2, 3, 2)),
    "GlobalLPPool": LayerCase(lambda: pn.GlobalLPPool(), floats(3, 2)),
    "AdaptiveMaxPool": LayerCase(lambda: pn.AdaptiveMaxPool((2, 1)), floats(3, 2, 2)),
    "AdaptiveMeanPool": LayerCase(lambda: pn.AdaptiveMeanPool(2), floats(5, 2)),
    "AdaptiveLPPool": LayerCase(lambda: pn.AdaptiveLPPool(2, p=1.5), floats(3, 2)),
    "Upsample": LayerCase(lambda: pn.Upsample(2.0, mode="bilinear"), floats(2, 3, 1)),
    "Upsample to a size": LayerCase(
        lambda: pn.Upsample(size=(4, 3), mode="bicubic", align_corners=True), floats(3, 2, 1)
    ),
    "Upsample, nearest": LayerCase(lambda: pn.Upsample(size=5), floats(3, 2)),
    "PixelShuffle": LayerCase(lambda: pn.PixelShuffle(2), floats(2, 1, 4)),
    "PixelUnshuffle": LayerCase(lambda: pn.PixelUnshuffle((2, 1)), floats(2, 3, 2)),
    "ConstantPad": LayerCase(lambda: pn.ConstantPad(((0, 1), (2, 0)), value=0.5), floats(2, 2, 1)),
    "ZeroPad": LayerCase(lambda: pn.ZeroPad(1), floats(2, 2)),
    "ReflectionPad": LayerCase(lambda: pn.ReflectionPad((1, 2)), floats(3, 3, 1)),
    "ReplicationPad": LayerCase(lambda: pn.ReplicationPad(1), floats(2, 2)),
    "CircularPad": LayerCase(lambda: pn.CircularPad(1), floats(3, 2)),
}
