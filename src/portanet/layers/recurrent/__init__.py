"""Recurrent cells, and what carries them along a sequence."""

from portanet.layers.recurrent.bidirectional import BidirectionalRNN
from portanet.layers.recurrent.gru import GRUCell
from portanet.layers.recurrent.lstm import LSTMCell
from portanet.layers.recurrent.recurrence import Recurrence
from portanet.layers.recurrent.rnn import RNNCell
from portanet.layers.recurrent.stacked import StackedRecurrence
from portanet.layers.recurrent.stateful import StatefulRecurrentCell

__all__ = [
    "BidirectionalRNN",
    "GRUCell",
    "LSTMCell",
    "RNNCell",
    "Recurrence",
    "StackedRecurrence",
    "StatefulRecurrentCell",
]
