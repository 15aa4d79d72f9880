"""Metrics of classes: which are taken for which."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from portanet.checks import one_of
from portanet.training.metrics._classes import ClassMetric, check_samples, counted
from portanet.training.metrics.base import Total

Average = Literal["macro", "micro", "weighted", "none"]


@dataclass(frozen=True, kw_only=True)
class CountedMetric(ClassMetric):
    """A metric of how many samples of which class were taken for which."""

    def add(self, total: Total | None, measured: Mapping[str, Any]) -> Total:
        counts = counted(*self.kept(measured), measured["classes"])
        return {"counts": counts if total is None else total["counts"] + counts}

    def counts(self, total: Total) -> np.ndarray:
        check_samples(np.sum(total["counts"]))
        return total["counts"]


@dataclass(frozen=True, kw_only=True)
class ConfusionMatrix(CountedMetric):
    """How many samples of which class (row) were taken for which (column).

    The result is an array of int64 of shape (classes, classes). Shapes, `threshold` and
    `ignore_index` as for `Accuracy`.

    Raises
    ------
    IndexRangeError
        If a label is none of the classes.

    Examples
    --------
    >>> import numpy as np
    >>> import portanet as pn
    >>> scores = np.asarray([0.9, 0.2, 0.7])
    >>> pn.training.metrics.ConfusionMatrix(threshold=0.5)(scores, np.asarray([1, 0, 0]))
    array([[1, 1],
           [0, 1]])
    """

    larger_is_better = None

    def result(self, total: Total) -> np.ndarray:
        return self.counts(total)


@dataclass(frozen=True, kw_only=True)
class AveragedMetric(CountedMetric):
    """A metric of each class, and its average over them.

    Parameters
    ----------
    average : {"macro", "weighted", "micro", "none"}, default "macro"
        The mean over the classes that occur among the labels or the guesses; the same weighted by
        how often each is the label; that of all samples together; or an array with each class.
        With a `threshold` it is the metric of the second class, and `average` says nothing.
    """

    average: Average = "macro"

    def __post_init__(self) -> None:
        super().__post_init__()
        one_of(self, "average", ("macro", "weighted", "micro", "none"))

    def result(self, total: Total) -> Any:
        counts = self.counts(total).astype(np.float64)
        right, guessed, real = np.diagonal(counts), counts.sum(axis=0), counts.sum(axis=1)
        if self.threshold is not None:
            return float(self.of_each(right, guessed, real)[1])
        if self.average == "micro":
            of_all = [np.asarray([np.sum(x)]) for x in (right, guessed, real)]
            return float(self.of_each(*of_all)[0])
        values = self.of_each(right, guessed, real)
        if self.average == "none":
            return values
        weights = real if self.average == "weighted" else np.sign(guessed + real)
        return float(np.average(values, weights=weights))

    @abstractmethod
    def of_each(self, right: np.ndarray, guessed: np.ndarray, real: np.ndarray) -> np.ndarray:
        """Return the metric of each class from how often it was rightly guessed, guessed, real."""


def _ratio(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    """Return ``part / whole``, 0 where both are 0."""
    return np.divide(part, whole, out=np.zeros_like(whole), where=whole > 0)


@dataclass(frozen=True, kw_only=True)
class Precision(AveragedMetric):
    """Of the samples that are taken for a class, the share that is of it; 0 where there is none.

    Shapes, `threshold` and `ignore_index` as for `Accuracy`.

    Parameters
    ----------
    average : {"macro", "weighted", "micro", "none"}, default "macro"
        The mean over the classes that occur among the labels or the guesses; the same weighted by
        how often each is the label; that of all samples together; or an array with each class.
        With a `threshold` it is the metric of the second class, and `average` says nothing.

    Examples
    --------
    >>> import numpy as np
    >>> import portanet as pn
    >>> scores, target = np.asarray([0.9, 0.2, 0.7]), np.asarray([1, 0, 0])
    >>> pn.training.metrics.Precision(threshold=0.5)(scores, target)
    0.5
    """

    def of_each(self, right: np.ndarray, guessed: np.ndarray, real: np.ndarray) -> np.ndarray:
        return _ratio(right, guessed)


@dataclass(frozen=True, kw_only=True)
class Recall(AveragedMetric):
    """Of the samples of a class, the share that is taken for it; 0 where there is none.

    Shapes and options as for `Precision`.

    Examples
    --------
    >>> import numpy as np
    >>> import portanet as pn
    >>> scores, target = np.asarray([0.9, 0.2, 0.7]), np.asarray([1, 0, 0])
    >>> pn.training.metrics.Recall(threshold=0.5)(scores, target)
    1.0
    """

    def of_each(self, right: np.ndarray, guessed: np.ndarray, real: np.ndarray) -> np.ndarray:
        return _ratio(right, real)


@dataclass(frozen=True, kw_only=True)
class F1Score(AveragedMetric):
    """The harmonic mean of `Precision` and `Recall`; 0 where both are.

    Shapes and options as for `Precision`.

    Examples
    --------
    >>> import numpy as np
    >>> import portanet as pn
    >>> scores, target = np.asarray([0.9, 0.2, 0.7]), np.asarray([1, 0, 0])
    >>> print(round(pn.training.metrics.F1Score(threshold=0.5)(scores, target), 3))
    0.667
    """

    def of_each(self, right: np.ndarray, guessed: np.ndarray, real: np.ndarray) -> np.ndarray:
        return _ratio(2.0 * right, guessed + real)
