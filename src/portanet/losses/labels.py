"""The likelihood of labels, given the logarithms of the probabilities of classes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from portanet.checks import integers, optional_integers
from portanet.functional.losses.reductions import times_log
from portanet.losses._base import Loss, Reduction
from portanet.losses._classes import (
    Labels,
    along,
    as_weights,
    check_labels,
    check_weights,
    ignoring,
    weighted_mean,
)


@dataclass(frozen=True, kw_only=True)
class NLLLoss(Loss):
    """Negative log-likelihood of labels: ``-prediction[label]`` for each sample.

    The prediction holds logarithms of probabilities, as `log_softmax` gives them; of scores
    before a softmax take ``CrossEntropyLoss(logits=True)``. The target is an array of integers,
    the label of the class of each sample: the shape of the prediction without the class axis.

    Parameters
    ----------
    class_weights : sequence of float, optional
        A factor from 0 up for each class, by which the losses of its samples are multiplied.
    ignore_index : int, optional
        Samples with this label count for nothing.
    axis : int, default -1
        The axis of the classes.
    reduction : {"mean", "sum", "none"}, default "mean"
        Over the samples, which are all axes but that of the classes. The mean is the sum divided
        by the weights of the classes of all samples that are not ignored; it is 0 if there are
        none.

    Raises
    ------
    IndexRangeError
        If a label that is not ignored is no class, as in `CrossEntropyLoss`.

    Examples
    --------
    >>> import numpy as np
    >>> import portanet as pn
    >>> logs = np.log(np.asarray([[0.5, 0.25, 0.25], [0.1, 0.8, 0.1]]))
    >>> print(pn.NLLLoss(reduction="none")(logs, np.asarray([1, 1])).round(6))
    [1.386294 0.223144]
    """

    class_weights: Any = None
    ignore_index: int | None = None
    axis: int = -1
    reduction: Reduction = "mean"

    def __post_init__(self) -> None:
        super().__post_init__()
        integers(self, "axis", minimum=None)
        optional_integers(self, "ignore_index", minimum=None)
        if self.class_weights is not None:
            as_weights(self, "class_weights")

    def check(self, prediction: Any, target: Any) -> None:
        check_labels(self.axis, prediction, target)
        check_weights(self.class_weights, prediction, self.axis)

    def mean(self, xp: Any, prediction: Any, target: Any) -> Any:
        return weighted_mean(xp, *self._weighted(xp, prediction, target))

    def values(self, xp: Any, prediction: Any, target: Any) -> Any:
        return self._weighted(xp, prediction, target)[0]

    def _of_kept(self, xp: Any, prediction: Any, target: Any, mask: Any) -> Any:
        loss, labels = ignoring(self, xp, target, mask)
        return loss._reduced(prediction, prediction, labels)

    def _weighted(self, xp: Any, prediction: Any, target: Any) -> tuple[Any, Any]:
        """Return the losses of the samples, and their weights if these are not all 1."""
        given, weights = Labels.of(prediction, target, self.axis, self.ignore_index), None
        values = given.pick(given.without_ignored(xp, prediction))
        if self.class_weights is not None:
            weights = given.pick(along(self.axis, self.class_weights, prediction))
            values = times_log(weights, values)
        return given.counted(xp, -values, weights)
