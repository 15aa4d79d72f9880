"""The contract: layers, their parameters and states, and what can be asked of a model."""

from portanet.core.chain import Chain
from portanet.core.container import Container
from portanet.core.counts import output_shape, parameter_count, state_count
from portanet.core.display import Argument
from portanet.core.functions import WrappedFunction, as_layer
from portanet.core.layer import Layer
from portanet.core.lazy import call_resolved, last_size, met, resolve, sized_by_input
from portanet.core.mapping import layer_map, surround
from portanet.core.masked import MaskedInput
from portanet.core.modes import test_mode, train_mode, update_state
from portanet.core.setup import apply, setup

__all__ = [
    "Argument",
    "Chain",
    "Container",
    "Layer",
    "MaskedInput",
    "WrappedFunction",
    "apply",
    "as_layer",
    "call_resolved",
    "last_size",
    "layer_map",
    "met",
    "output_shape",
    "parameter_count",
    "resolve",
    "setup",
    "sized_by_input",
    "state_count",
    "surround",
    "test_mode",
    "train_mode",
    "update_state",
]
