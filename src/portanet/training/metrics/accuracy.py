"""Metrics of classes: the share of right ones."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from portanet import checks
from portanet.checks import integers
from portanet.interface import device_of
from portanet.training.metrics._classes import ClassMetric, check_samples
from portanet.training.metrics.base import Total


def _right(total: Total | None, right: np.ndarray) -> Total:
    before = total or {"right": np.int64(0), "samples": np.int64(0)}
    return {
        "right": before["right"] + np.count_nonzero(right),
        "samples": before["samples"] + right.size,
    }


def _share(total: Total) -> float:
    check_samples(total["samples"])
    return float(total["right"]) / float(total["samples"])


@dataclass(frozen=True, kw_only=True)
class Accuracy(ClassMetric):
    """The share of samples whose class is predicted rightly.

    The prediction has a score for each class along its last axis, of which the largest counts; the
    target is the label of each sample, integers in the shape of the prediction without that axis,
    or one-hot, in its shape. With a `threshold` the prediction is one score for each sample.

    Parameters
    ----------
    threshold : float, optional
        Makes it one of two classes: the second is predicted where the score is greater.
    ignore_index : int, optional
        Samples with this label count for nothing.

    Raises
    ------
    ShapeError
        If prediction and target do not fit each other, or there is one score a sample and no
        `threshold`.
    IndexRangeError
        If a label is none of the classes.

    Examples
    --------
    >>> import numpy as np
    >>> import portanet as pn
    >>> scores = np.asarray([[0.1, 0.9], [0.8, 0.2], [0.3, 0.7]])
    >>> accuracy = pn.training.metrics.Accuracy()
    >>> print(round(accuracy(scores, np.asarray([1, 0, 0])), 3))
    0.667
    """

    def add(self, total: Total | None, measured: Mapping[str, Any]) -> Total:
        guesses, labels = self.kept(measured)
        return _right(total, guesses == labels)

    def result(self, total: Total) -> float:
        return _share(total)


@dataclass(frozen=True, kw_only=True)
class TopKAccuracy(ClassMetric):
    """The share of samples whose class is among the `k` with the largest scores.

    A class counts where fewer than `k` others have a larger score, and its own is no NaN. Shapes as
    for `Accuracy`.

    Parameters
    ----------
    k : int, default 5
    ignore_index : int, optional
        Samples with this label count for nothing.

    Examples
    --------
    >>> import numpy as np
    >>> import portanet as pn
    >>> scores = np.asarray([[0.5, 0.2, 0.2], [0.3, 0.4, 0.2]])
    >>> pn.training.metrics.TopKAccuracy(k=2)(scores, np.asarray([1, 2]))
    0.5
    """

    k: int = 5

    def __post_init__(self) -> None:
        super().__post_init__()
        integers(self, "k")
        if self.threshold is not None:
            checks.refuse(self, "threshold is of metrics of two classes", self.threshold)

    @property
    def name(self) -> str:
        return f"top_{self.k}_accuracy"

    def guesses(self, xp: Any, prediction: Any, labels: Any) -> Any:
        """Return whether the class of each sample is among the `k`."""
        classes = xp.arange(prediction.shape[-1], dtype=labels.dtype, device=device_of(prediction))
        own = xp.expand_dims(labels, axis=-1) == classes
        lowest = xp.full_like(prediction, -float("inf"))
        score = xp.max(xp.where(own, prediction, lowest), axis=-1, keepdims=True)
        rank = xp.count_nonzero(prediction > score, axis=-1)
        # Nothing is greater than NaN, which is no score.
        return xp.logical_and(rank < self.k, score[..., 0] == score[..., 0])

    def add(self, total: Total | None, measured: Mapping[str, Any]) -> Total:
        return _right(total, self.kept(measured)[0])

    def result(self, total: Total) -> float:
        return _share(total)
