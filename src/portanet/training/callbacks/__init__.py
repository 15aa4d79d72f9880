"""Callbacks: what happens beside the steps of training."""

from portanet.listing import listing
from portanet.training.callbacks.base import Callback
from portanet.training.callbacks.checkpoint import Checkpoint
from portanet.training.callbacks.early_stopping import EarlyStopping
from portanet.training.callbacks.nan_guard import NaNGuard
from portanet.training.callbacks.schedule import ReduceOnPlateau, Schedule
from portanet.training.callbacks.writers import CSVLogger, Plot, TensorBoard

__all__ = [
    "CSVLogger",
    "Callback",
    "Checkpoint",
    "EarlyStopping",
    "NaNGuard",
    "Plot",
    "ReduceOnPlateau",
    "Schedule",
    "TensorBoard",
]
__dir__ = listing(__all__)
