"""Metrics: how good predictions are, counted exactly over any number of batches."""

from portanet.listing import listing
from portanet.training.metrics.accuracy import Accuracy, TopKAccuracy
from portanet.training.metrics.base import Metric
from portanet.training.metrics.confusion import ConfusionMatrix, F1Score, Precision, Recall
from portanet.training.metrics.likelihood import Perplexity
from portanet.training.metrics.ranking import ROCAUC
from portanet.training.metrics.regression import (
    MeanAbsoluteError,
    MeanOf,
    MeanSquaredError,
    R2Score,
)

__all__ = [
    "ROCAUC",
    "Accuracy",
    "ConfusionMatrix",
    "F1Score",
    "MeanAbsoluteError",
    "MeanOf",
    "MeanSquaredError",
    "Metric",
    "Perplexity",
    "Precision",
    "R2Score",
    "Recall",
    "TopKAccuracy",
]
__dir__ = listing(__all__)
