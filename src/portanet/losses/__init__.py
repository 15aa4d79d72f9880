"""Losses: frozen objects, called as ``loss(prediction, target)`` or as objectives of training."""

from portanet.losses._base import Loss
from portanet.losses.classification import BinaryCrossEntropyLoss, CrossEntropyLoss
from portanet.losses.regression import HuberLoss, MAELoss, MSELoss

__all__ = [
    "BinaryCrossEntropyLoss",
    "CrossEntropyLoss",
    "HuberLoss",
    "Loss",
    "MAELoss",
    "MSELoss",
]
