"""The contract: layers, their parameters and states, and what can be asked of a model."""

from portanet.core.container import Container
from portanet.core.counts import output_shape, parameter_count, state_count
from portanet.core.display import Argument
from portanet.core.layer import Layer
from portanet.core.modes import test_mode, train_mode, update_state
from portanet.core.setup import apply, setup

__all__ = [
    "Argument",
    "Container",
    "Layer",
    "apply",
    "output_shape",
    "parameter_count",
    "setup",
    "state_count",
    "test_mode",
    "train_mode",
    "update_state",
]
