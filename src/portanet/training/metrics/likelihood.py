"""Metrics of probabilities."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from portanet.checks import flags, integers
from portanet.losses import CrossEntropyLoss
from portanet.training.metrics._classes import check_samples
from portanet.training.metrics.base import Metric, Total, namespace_of


@dataclass(frozen=True, kw_only=True)
class Perplexity(Metric):
    """The exponential of the mean cross-entropy: among how many classes the model is undecided.

    The prediction has a score, or a probability, for each class along its last axis, the target is
    the label or a distribution, as for `portanet.CrossEntropyLoss`.

    Parameters
    ----------
    logits : bool, default True
        Whether the prediction holds scores before a softmax, instead of probabilities.
    ignore_index : int, optional
        Entries with this label count for nothing.

    Examples
    --------
    >>> import numpy as np
    >>> import portanet as pn
    >>> scores = np.zeros((2, 3, 8))
    >>> round(pn.training.metrics.Perplexity()(scores, np.zeros((2, 3), int)), 6)
    8.0
    """

    larger_is_better = False
    logits: bool = True
    ignore_index: int | None = None

    def __post_init__(self) -> None:
        flags(self, "logits")
        if self.ignore_index is not None:
            integers(self, "ignore_index", minimum=None)

    def measure(self, prediction: Any, target: Any) -> Mapping[str, Any]:
        namespace_of(prediction, target)
        loss = CrossEntropyLoss(
            logits=self.logits, ignore_index=self.ignore_index, reduction="none"
        )
        measured = {"values": loss(prediction, target)}
        return measured if self.ignore_index is None else {**measured, "labels": target}

    def add(self, total: Total | None, measured: Mapping[str, Any]) -> Total:
        values = measured["values"]
        if self.ignore_index is not None:
            values = values[measured["labels"] != self.ignore_index]
        before = total or {"sum": np.float64(0), "entries": np.int64(0)}
        return {
            "sum": before["sum"] + np.sum(values, dtype=np.float64),
            "entries": before["entries"] + values.size,
        }

    def result(self, total: Total) -> float:
        check_samples(total["entries"])
        try:
            return math.exp(total["sum"] / total["entries"])
        except OverflowError:
            return math.inf
