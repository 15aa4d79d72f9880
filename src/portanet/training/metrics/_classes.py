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
            return {"guesses": guesses, "labels": as_labels(xp, target), "classes": 2}
        labels = labels_of(xp, prediction, target)
        return {
            "guesses": self.guesses(xp, prediction, labels),
            "labels": labels,
            "classes": prediction.shape[-1],
        }

    def guesses(self, xp: Any, prediction: Any, labels: Any) -> Any:
        """Return the predicted class of each sample."""
        return xp.argmax(prediction, axis=-1)

    def kept(self, measured: Mapping[str, Any]) -> tuple[np.ndarray, np.ndarray]:
        """Return the guesses and the labels that count, as vectors."""
        guesses, labels = measured["guesses"].reshape(-1), measured["labels"].reshape(-1)
        if self.ignore_index is not None:
            kept = labels != self.ignore_index
            guesses, labels = guesses[kept], labels[kept]
        check_range(
            labels, measured["classes"], ": name one that stands for none with ignore_index="
        )
        return guesses, labels


def labels_of(xp: Any, prediction: Any, target: Any) -> Any:
    """Return labels for predictions with a score for each class along the last axis."""
    shape = tuple(prediction.shape)
    if len(shape) < 2 or shape[-1] < 2:
        raise ShapeError(
            f"prediction.shape == (N, ..., classes), of 2 classes at least: got {shape}: where two "
            f"classes have one score, give the metric a threshold: 0.5 for probabilities, 0 for "
            f"logits"
        )
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


def check_range(labels: np.ndarray, classes: int, advice: str = "") -> None:
    """Refuse labels that are no classes."""
    wrong = labels[(labels < 0) | (labels >= classes)]
    if wrong.size:
        raise IndexRangeError(
            f"0 <= label < classes: {int(wrong[0])} is none of {classes} classes{advice}"
        )


def counted(guesses: np.ndarray, labels: np.ndarray, classes: int) -> np.ndarray:
    """Return how often which label (row) was taken for which class (column), in int64."""
    pairs = labels.astype(np.int64) * classes + guesses
    return np.bincount(pairs, minlength=classes * classes).reshape(classes, classes)


def check_samples(count: Any) -> None:
    """Refuse a metric of nothing."""
    if not count:
        raise ShapeError("a metric has at least one sample that counts: got none")
