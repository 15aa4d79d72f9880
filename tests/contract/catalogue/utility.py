"""Cases of layers without arithmetic of their own."""

from __future__ import annotations

from contract.catalogue.builders import LayerCase, floats

import portanet as pn

LAYERS = {
    "Flatten": LayerCase(lambda: pn.Flatten(), floats(2, 3)),
    "Reshape": LayerCase(lambda: pn.Reshape((3, 2)), floats(6)),
    "SelectDim": LayerCase(lambda: pn.SelectDim(1, -1), floats(3, 2)),
    "SelectDim with a range": LayerCase(lambda: pn.SelectDim(-1, range(0, 4, 2)), floats(2, 4)),
    "NoOp": LayerCase(lambda: pn.NoOp(), floats(3)),
    "WrappedFunction": LayerCase(lambda: pn.WrappedFunction(pn.softmax), floats(3)),
}
