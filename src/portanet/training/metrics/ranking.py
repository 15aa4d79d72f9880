"""Metrics of the order of scores."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from portanet import checks
from portanet.training.metrics._classes import as_labels, check_range, check_samples, labels_of
from portanet.training.metrics.base import Metric, Total, joined, namespace_of


@dataclass(frozen=True)
class ROCAUC(Metric):
    """The area under the receiver operating characteristic [1]_.

    The probability that a sample of the second class has a greater score than one of the first,
    where equal scores count half. The prediction has one score for each sample and the target 0 or
    1 in the same shape; or there is a score for each class along one more, last axis, and the
    target is the label: then it is the mean over the classes, each against all others.

    NaN where all samples are of one class or a score is NaN. All scores are kept until the result.

    References
    ----------
    .. [1] J. A. Hanley, B. J. McNeil, "The meaning and use of the area under a receiver operating
       characteristic (ROC) curve", Radiology 143 (1982).

    Examples
    --------
    >>> import numpy as np
    >>> import portanet as pn
    >>> scores = np.asarray([0.1, 0.4, 0.35, 0.8])
    >>> pn.training.metrics.ROCAUC()(scores, np.asarray([0, 0, 1, 1]))
    0.75
    """

    @property
    def name(self) -> str:
        return "roc_auc"

    def measure(self, prediction: Any, target: Any) -> Mapping[str, Any]:
        xp = namespace_of(prediction, target)
        checks.rank_at_least("prediction", prediction, 1)
        if tuple(prediction.shape) == tuple(target.shape):
            return {"scores": prediction, "labels": as_labels(xp, target)}
        return {"scores": prediction, "labels": labels_of(xp, prediction, target)}

    def add(self, total: Total | None, measured: Mapping[str, Any]) -> Total:
        if total is None:
            return {name: [x] for name, x in measured.items()}
        return {name: [*_parts(total[name]), x] for name, x in measured.items()}

    def join(self, total: Total, other: Total) -> Total:
        return {name: [*_parts(x), *_parts(other[name])] for name, x in total.items()}

    def result(self, total: Total) -> float:
        scores, labels = joined(total["scores"]), joined(total["labels"])
        check_samples(labels.size)
        classes = 2 if scores.shape == labels.shape else scores.shape[-1]
        check_range(labels, classes)
        if scores.shape == labels.shape:
            return _area(scores.reshape(-1), labels.reshape(-1) == 1)
        scores, labels = scores.reshape(-1, classes), labels.reshape(-1)
        return float(np.mean([_area(scores[:, k], labels == k) for k in range(classes)]))


def _parts(part: Any) -> list[np.ndarray]:
    return part if isinstance(part, list) else [part]


def _area(scores: np.ndarray, positive: np.ndarray) -> float:
    """Return the statistic of Mann and Whitney of the ranks, those of equal scores averaged."""
    count = int(np.count_nonzero(positive))
    pairs = count * (len(scores) - count)
    if not pairs or np.isnan(scores).any():
        return float("nan")
    _, place, times = np.unique(scores, return_inverse=True, return_counts=True)
    ranks = np.cumsum(times) - 0.5 * (times - 1)
    return float((np.sum(ranks[place][positive]) - count * (count + 1) / 2) / pairs)
