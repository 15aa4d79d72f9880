"""Losses: frozen objects, called as ``loss(prediction, target)`` or as objectives of training."""

from portanet.listing import listing
from portanet.losses._base import Loss
from portanet.losses.classification import BinaryCrossEntropyLoss, CrossEntropyLoss
from portanet.losses.ctc import CTCLoss
from portanet.losses.focal import BinaryFocalLoss, FocalLoss
from portanet.losses.generic import GenericLoss
from portanet.losses.labels import NLLLoss
from portanet.losses.likelihood import GaussianNLLLoss, KLDivergenceLoss, PoissonLoss
from portanet.losses.margin import HingeLoss, MultiMarginLoss, SoftMarginLoss, SquaredHingeLoss
from portanet.losses.overlap import DiceLoss, TverskyLoss
from portanet.losses.regression import HuberLoss, MAELoss, MSELoss, MSLELoss, SmoothL1Loss
from portanet.losses.similarity import (
    CosineEmbeddingLoss,
    InfoNCELoss,
    SiameseContrastiveLoss,
    TripletMarginLoss,
)

__all__ = [
    "BinaryCrossEntropyLoss",
    "BinaryFocalLoss",
    "CTCLoss",
    "CosineEmbeddingLoss",
    "CrossEntropyLoss",
    "DiceLoss",
    "FocalLoss",
    "GaussianNLLLoss",
    "GenericLoss",
    "HingeLoss",
    "HuberLoss",
    "InfoNCELoss",
    "KLDivergenceLoss",
    "Loss",
    "MAELoss",
    "MSELoss",
    "MSLELoss",
    "MultiMarginLoss",
    "NLLLoss",
    "PoissonLoss",
    "SiameseContrastiveLoss",
    "SmoothL1Loss",
    "SoftMarginLoss",
    "SquaredHingeLoss",
    "TripletMarginLoss",
    "TverskyLoss",
]
__dir__ = listing(__all__)
