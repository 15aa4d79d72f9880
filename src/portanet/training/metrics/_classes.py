"""The classes that are predicted, and those that are right."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from portanet import checks
from portanet.checks import finite, integers
from portanet.errors import IndexRangeError, ShapeError
from portanet.training.metrics.base import Metric, namespace_of


@dataclass(frozen=True, kw_only=True)
class ClassMetric(Metric):
    """A metric of classes.

    Parameters
    ----------
    threshold : float, optional
        Makes it one of two classes: the prediction has one score for each sample, and the second
        class is predicted where it is greater. For probabilities 0.5, for logits 0.
    ignore_index : int, optional
        Samples with this label count for nothing.
    """

    threshold: float | None = None
    ignore_index: int | None = None

    def __post_init__(self) -> None:
        if self.threshold is not None:
            finite(self, "threshold")
        if self.ignore_index is not None:
            integers(self, "ignore_index", minimum=None)

    def measure(self, prediction: Any, target: Any) -> Mapping[str, Any]:
        xp = namespace_of(prediction, target)
        if self.threshold is not None:
            checks.same_shape("prediction", prediction, "target", target)
            guesses = xp.astype(prediction > self.threshold, xp.int32)
            return {"guesses": guesses, "labels": as_labels(xp, target)}
        labels = labels_of(xp, prediction, target)
        return {"guesses": xp.argmax(prediction, axis=-1), "labels": labels}

    def kept(self, measured: Mapping[str, Any]) -> tuple[np.ndarray, np.ndarray]:
        """Return the guesses and the labels that count, as vectors."""
        guesses, labels = measured["guesses"].reshape(-1), measured["labels"].reshape(-1)
        if self.ignore_index is None:
            return guesses, labels
        kept = labels != self.ignore_index
        return guesses[kept], labels[kept]


def labels_of(xp: Any, prediction: Any, target: Any) -> Any:
    """Return labels for predictions with a score for each class along the last axis."""
    if not prediction.shape:
        raise ShapeError("prediction.ndim >= 1: 0 < 1: the classes are its last axis")
    if xp.isdtype(target.dtype, "integral"):
        if tuple(target.shape) != tuple(prediction.shape[:-1]):
            raise ShapeError(
                f"target.shape == prediction.shape[:-1]: {tuple(target.shape)} != "
                f"{tuple(prediction.shape[:-1])}: integers are the labels of the samples"
            )
        return target
    checks.same_shape("target", target, "prediction", prediction)
    return xp.argmax(target, axis=-1)


def as_labels(xp: Any, target: Any) -> Any:
    """Return targets of two classes, booleans or floats of 0 and 1, as integers."""
    return target if xp.isdtype(target.dtype, "integral") else xp.astype(target > 0.5, xp.int32)


def counted(guesses: np.ndarray, labels: np.ndarray, classes: int) -> np.ndarray:
    """Return how often which label (row) was taken for which class (column), in int64."""
    wrong = labels[(labels < 0) | (labels >= classes)]
    if wrong.size:
        raise IndexRangeError(
            f"0 <= label < classes: {int(wrong[0])} is none of {classes} classes: name one that "
            f"stands for none with ignore_index="
        )
    pairs = labels.astype(np.int64) * classes + guesses
    return np.bincount(pairs, minlength=classes * classes).reshape(classes, classes)


def check_samples(count: Any) -> None:
    """Refuse a metric of nothing."""
    if not count:
        raise ShapeError("a metric has at least one sample that counts: got none")
