"""Cases of layers without arithmetic of their own."""

from __future__ import annotations

from contract.catalogue.builders import LayerCase, floats, several

import portanet as pn

LAYERS = {
    "Flatten": LayerCase(lambda: pn.Flatten(), floats(2, 3)),
    "Flatten, inner axes": LayerCase(lambda: pn.Flatten(1, -2), floats(2, 3, 4)),
    "Reshape": LayerCase(lambda: pn.Reshape((3, 2)), floats(6)),
    "SelectDim": LayerCase(lambda: pn.SelectDim(1, -1), floats(3, 2)),
    "SelectDim with a range": LayerCase(lambda: pn.SelectDim(-1, range(0, 4, 2)), floats(2, 4)),
    "PeriodicEmbedding": LayerCase(lambda: pn.PeriodicEmbedding((2, 0), (1.5, 4)), floats(2, 3)),
    "ReverseSequence": LayerCase(lambda: pn.ReverseSequence(), floats(3, 2)),
    "ReverseSequence of lengths": LayerCase(
        lambda: pn.ReverseSequence(-1), several(floats(2, 4), lambda rng, n: rng.integers(0, 5, n))
    ),
    "PReLU": LayerCase(lambda: pn.PReLU(), floats(3)),
    "PReLU, a slope a channel": LayerCase(lambda: pn.PReLU(2), floats(3, 2)),
    "NoOp": LayerCase(lambda: pn.NoOp(), floats(3)),
    "WrappedFunction": LayerCase(lambda: pn.WrappedFunction(pn.softmax), floats(3)),
}
