"""Cases of recurrent cells and layers."""

from __future__ import annotations

from contract.catalogue.builders import LayerCase, floats, several

import portanet as pn
from portanet import initializers as init

STEP = several(floats(3), several(floats(2), floats(2)))

LAYERS = {
    "RNNCell": LayerCase(lambda: pn.RNNCell(3, 2), floats(3)),
    "RNNCell, relu, no bias, trained state": LayerCase(
        lambda: pn.RNNCell(3, 2, pn.softplus, use_bias=False, train_state=True), floats(3)
    ),
    "LSTMCell": LayerCase(lambda: pn.LSTMCell(3, 2), floats(3)),
    "LSTMCell with a carry": LayerCase(lambda: pn.LSTMCell(3, 2), STEP),
    "LSTMCell, trained memory": LayerCase(
        lambda: pn.LSTMCell(3, 2, train_memory=True, init_state=init.ones()), floats(3)
    ),
    "GRUCell": LayerCase(lambda: pn.GRUCell(3, 2), floats(3)),
    "Recurrence": LayerCase(lambda: pn.Recurrence(pn.LSTMCell(3, 2)), floats(4, 3)),
    "Recurrence of every output, reversed": LayerCase(
        lambda: pn.Recurrence(
            pn.GRUCell(3, 2), return_sequence=True, return_carry=True, reverse=True
        ),
        floats(4, 3),
    ),
    "BidirectionalRNN": LayerCase(lambda: pn.BidirectionalRNN(pn.RNNCell(3, 2)), floats(3, 3)),
    "StackedRecurrence": LayerCase(
        lambda: pn.StackedRecurrence([pn.RNNCell(3, 2), pn.GRUCell(2, 2)], dropout=0.4),
        floats(3, 3),
    ),
    "StatefulRecurrentCell": LayerCase(
        lambda: pn.StatefulRecurrentCell(pn.RNNCell(3, 2)), floats(3), remembers=True
    ),
}
