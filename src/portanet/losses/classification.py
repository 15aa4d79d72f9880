"""Cross-entropy between class probabilities."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from portanet.checks import flags, integers, non_negative, probabilities
from portanet.errors import ShapeError
from portanet.functional import label_smoothing, log_sigmoid, log_softmax
from portanet.functional.losses.elementwise import logistic
from portanet.functional.losses.reductions import times_log
from portanet.losses._base import Loss, Reduction
from portanet.losses._classes import (
    Labels,
    along,
    as_weights,
    check_classes,
    check_ignored,
    check_weights,
    ignoring,
    is_label,
    samples,
    stabilizer,
    weighted_log,
    weighted_log_of_rest,
    weighted_mean,
)


@dataclass(frozen=True, kw_only=True)
class CrossEntropyLoss(Loss):
    """Cross-entropy of a target distribution over classes and a predicted one.

    For each sample ``-sum(target * log(prediction + epsilon))`` over the class axis; with
    `logits`, ``-sum(target * log_softmax(prediction))``, which nothing can overflow.

    The target is either one-hot or soft, probabilities in exactly the shape of the prediction, or
    an array of integers, the label of the class of each sample: the shape of the prediction
    without the class axis.

    Parameters
    ----------
    logits : bool, default False
        Whether the prediction holds scores before a softmax, instead of probabilities.
    label_smoothing : float, default 0
        From 0 to 1: the target becomes ``(1 - label_smoothing) * target + label_smoothing / K``
        for K classes [1]_.
    class_weights : sequence of float, optional
        A factor from 0 up for each class, by which its term is multiplied.
    ignore_index : int, optional
        Samples with this label count for nothing. Only for labels.
    axis : int, default -1
        The axis of the classes.
    epsilon : float, optional
        Keeps the logarithm of probabilities finite; by default the machine epsilon of the
        prediction's dtype.
    reduction : {"mean", "sum", "none"}, default "mean"
        Over the samples, which are all axes but that of the classes. With labels, the mean is the
        sum divided by the weights of the classes of all samples that are not ignored; it is 0 if
        there are none.

    Raises
    ------
    IndexRangeError
        If a label that is not ignored is no class, also in the replay of a recorded program.
        Where labels cannot be looked at for free, on accelerators and in what torch or JAX
        compiled, the loss of the sample is NaN.

    References
    ----------
    .. [1] C. Szegedy, V. Vanhoucke, S. Ioffe, J. Shlens, Z. Wojna, "Rethinking the Inception
       Architecture for Computer Vision", CVPR 2016 (label smoothing).

    Examples
    --------
    >>> import numpy as np
    >>> import portanet as pn
    >>> scores = np.asarray([[2.0, 0.0, 0.0], [0.0, 0.0, 3.0]])
    >>> target = np.asarray([[1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])
    >>> print(pn.CrossEntropyLoss(logits=True, reduction="none")(scores, target))
    [0.23954477 0.09492296]
    >>> print(pn.CrossEntropyLoss(logits=True, reduction="none")(scores, np.asarray([0, 2])))
    [0.23954477 0.09492296]
    """

    logits: bool = False
    label_smoothing: float = 0.0
    class_weights: Any = None
    ignore_index: int | None = None
    axis: int = -1
    epsilon: float | None = None
    reduction: Reduction = "mean"

    def __post_init__(self) -> None:
        super().__post_init__()
        _check(self)
        integers(self, "axis", minimum=None)
        if self.ignore_index is not None:
            integers(self, "ignore_index", minimum=None)
        if self.class_weights is not None:
            as_weights(self, "class_weights")

    def check(self, prediction: Any, target: Any) -> None:
        check_classes(self.axis, prediction, target)
        check_ignored(self.ignore_index, target)
        check_weights(self.class_weights, prediction, self.axis)

    def mean(self, xp: Any, prediction: Any, target: Any) -> Any:
        if is_label(target):
            return weighted_mean(xp, *self._of_labels(xp, prediction, target))
        if not self.logits or self.class_weights is not None:
            return super().mean(xp, prediction, target)
        target = self._smoothed(target)
        scale = -1.0 / samples(prediction, self.axis)
        return xp.sum(times_log(target, log_softmax(prediction, self.axis))) * scale

    def values(self, xp: Any, prediction: Any, target: Any) -> Any:
        if is_label(target):
            return self._of_labels(xp, prediction, target)[0]
        target = self._smoothed(target)
        if self.class_weights is not None:
            target = target * along(self.axis, self.class_weights, prediction)
        if self.logits:
            weighted = times_log(target, log_softmax(prediction, self.axis))
        else:
            weighted = weighted_log(xp, target, prediction, self.epsilon)
        return -xp.sum(weighted, axis=self.axis)

    def _of_kept(self, xp: Any, prediction: Any, target: Any, mask: Any) -> Any:
        if not is_label(target):
            return super()._of_kept(xp, prediction, target, mask)
        loss, labels = ignoring(self, xp, target, mask)
        return loss._reduced(prediction, prediction, labels)

    def _smoothed(self, target: Any) -> Any:
        if not self.label_smoothing:
            return target
        return label_smoothing(target, self.label_smoothing, axis=self.axis)

    def _of_labels(self, xp: Any, prediction: Any, labels: Any) -> tuple[Any, Any]:
        """Return the losses of the samples, and their weights if these are not all 1."""
        axis, smoothing = self.axis, self.label_smoothing
        given, weights = Labels.of(prediction, labels, axis, self.ignore_index), None
        prediction = given.without_ignored(xp, prediction)
        if self.logits:
            logs = log_softmax(prediction, axis)
        else:
            shown = prediction if smoothing else xp.where(given.own, prediction, 1.0)
            logs = xp.log(shown + stabilizer(xp, prediction, self.epsilon))
        values = given.pick(logs)
        if self.class_weights is not None:
            factors = along(axis, self.class_weights, prediction)
            weights = given.pick(factors)
            values = times_log(weights, values)
            logs = times_log(factors, logs) if smoothing else logs
        if smoothing:
            share = smoothing / given.classes
            values = (1.0 - smoothing) * values + share * xp.sum(logs, axis=axis)
        return given.counted(xp, -values, weights)


@dataclass(frozen=True, kw_only=True)
class BinaryCrossEntropyLoss(Loss):
    """Cross-entropy of two classes, given by the probability of the second one.

    ``-target * log(prediction + epsilon) - (1 - target) * log(1 - prediction + epsilon)`` for
    each element; with `logits`, ``(1 - target) * prediction - log_sigmoid(prediction)``, which is
    the same of ``sigmoid(prediction)`` and which nothing can overflow. With `pos_weight` the first
    term, which is that of the second class, is multiplied by it.

    Parameters
    ----------
    logits : bool, default False
        Whether the prediction holds scores before a sigmoid, instead of probabilities.
    label_smoothing : float, default 0
        From 0 to 1: the target becomes ``(1 - label_smoothing) * target + label_smoothing / 2``.
    pos_weight : float or sequence of float, optional
        From 0 up: above 1 it finds more of the second class, below 1 it is surer of what it finds.
        A sequence has one for each entry of the last axis.
    epsilon : float, optional
        Keeps the logarithm of probabilities finite; by default the machine epsilon of the
        prediction's dtype.
    reduction : {"mean", "sum", "none"}, default "mean"
        Over all elements.

    Examples
    --------
    >>> import numpy as np
    >>> import portanet as pn
    >>> loss = pn.BinaryCrossEntropyLoss(logits=True, reduction="none")
    >>> print(loss(np.asarray([2.0, -1000.0]), np.asarray([1.0, 0.0])))
    [0.12692801 0.        ]
    """

    logits: bool = False
    label_smoothing: float = 0.0
    pos_weight: Any = None
    epsilon: float | None = None
    reduction: Reduction = "mean"

    def __post_init__(self) -> None:
        super().__post_init__()
        _check(self)
        if isinstance(self.pos_weight, Collection) and not isinstance(self.pos_weight, str):
            as_weights(self, "pos_weight")
        elif self.pos_weight is not None:
            non_negative(self, "pos_weight")

    def check(self, prediction: Any, target: Any) -> None:
        super().check(prediction, target)
        last, weights = tuple(prediction.shape[-1:]), self.pos_weight
        if isinstance(weights, tuple) and last != (len(weights),):
            raise ShapeError(
                f"prediction.shape[-1:] == ({len(weights)},), the number of pos_weight: "
                f"{last} != ({len(weights)},)"
            )

    def values(self, xp: Any, prediction: Any, target: Any) -> Any:
        if self.label_smoothing:
            target = label_smoothing(target, self.label_smoothing, axis=None)
        weight = self.pos_weight
        if isinstance(weight, tuple):
            weight = along(-1, weight, prediction)
        if self.logits:
            # Near the largest number, where infinity times 0 is 0 again.
            far = 0.5 * float(xp.finfo(prediction.dtype).max)
            prediction = xp.clip(prediction, -far, far)
            if weight is None:
                return logistic(prediction, target)
            factor = 1.0 + (weight - 1.0) * target
            return (1.0 - target) * prediction - factor * log_sigmoid(prediction)
        yes = weighted_log(xp, target, prediction, self.epsilon)
        yes = yes if weight is None else weight * yes
        return -yes - weighted_log_of_rest(xp, 1.0 - target, prediction, self.epsilon)


def _check(loss: CrossEntropyLoss | BinaryCrossEntropyLoss) -> None:
    flags(loss, "logits")
    probabilities(loss, "label_smoothing")
    if loss.epsilon is not None:
        non_negative(loss, "epsilon")
