"""Cross-entropy between class probabilities."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from portanet.checks import flags, integers, non_negative, probabilities, refuse
from portanet.errors import DTypeError, ShapeError
from portanet.functional import label_smoothing, log_sigmoid, log_softmax
from portanet.functional.indices import as_indices
from portanet.functional.losses.labels import checked_labels, is_class, is_own
from portanet.functional.losses.reductions import times_log
from portanet.interface import device_of
from portanet.losses._base import Loss, Reduction
from portanet.losses._classes import (
    check_classes,
    is_label,
    samples,
    stabilizer,
    weighted_log,
    weighted_log_of_rest,
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
            object.__setattr__(self, "class_weights", _class_weights(self, self.class_weights))

    def check(self, prediction: Any, target: Any) -> None:
        check_classes(self.axis, prediction, target)
        if self.ignore_index is not None and not is_label(target):
            raise DTypeError(
                "target.dtype is an integer: ignore_index is a label: give the target as labels, "
                "or leave ignore_index out"
            )
        classes = prediction.shape[self.axis]
        if self.class_weights is not None and len(self.class_weights) != classes:
            raise ShapeError(
                f"len(class_weights) == prediction.shape[{self.axis}]: "
                f"{len(self.class_weights)} != {classes}"
            )

    def mean(self, xp: Any, prediction: Any, target: Any) -> Any:
        if is_label(target):
            values, weights = self._of_labels(xp, prediction, target)
            if weights is None:
                return xp.mean(values)
            total = xp.sum(weights)
            return xp.sum(values) / xp.where(total == 0, 1.0, total)
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
            target = target * self._weights(xp, prediction)
        if self.logits:
            weighted = times_log(target, log_softmax(prediction, self.axis))
        else:
            weighted = weighted_log(xp, target, prediction, self.epsilon)
        return -xp.sum(weighted, axis=self.axis)

    def _smoothed(self, target: Any) -> Any:
        if not self.label_smoothing:
            return target
        return label_smoothing(target, self.label_smoothing, axis=self.axis)

    def _of_labels(self, xp: Any, prediction: Any, labels: Any) -> tuple[Any, Any]:
        """Return the losses of the samples, and their weights if these are not all 1."""
        axis, smoothing = self.axis, self.label_smoothing
        classes = prediction.shape[axis]
        weights = kept = None
        if self.ignore_index is not None:
            labels = as_indices(labels)
            kept = labels != self.ignore_index
            labels = xp.where(kept, labels, 0)
            prediction = xp.where(xp.expand_dims(kept, axis=axis), prediction, 1.0)
        labels = checked_labels(labels, classes)
        own = is_own(labels, classes, axis)
        if self.logits:
            logs = log_softmax(prediction, axis)
        else:
            shown = prediction if smoothing else xp.where(own, prediction, 1.0)
            logs = xp.log(shown + stabilizer(xp, prediction, self.epsilon))
        values = xp.sum(xp.where(own, logs, 0.0), axis=axis)
        if self.class_weights is not None:
            factors = self._weights(xp, prediction)
            weights = xp.sum(xp.where(own, factors, 0.0), axis=axis)
            values = times_log(weights, values)
            logs = times_log(factors, logs) if smoothing else logs
        if smoothing:
            values = (1.0 - smoothing) * values + smoothing / classes * xp.sum(logs, axis=axis)
        if kept is not None:
            values, counted = xp.where(kept, values, 0.0), xp.astype(kept, values.dtype)
            weights = counted if weights is None else weights * counted
        return xp.where(is_class(labels, classes), -values, math.nan), weights

    def _weights(self, xp: Any, prediction: Any) -> Any:
        device = device_of(prediction)
        weights = xp.asarray(self.class_weights, dtype=prediction.dtype, device=device)
        rank = len(prediction.shape)
        return xp.reshape(weights, (-1, *(1,) * (rank - 1 - self.axis % rank)))


@dataclass(frozen=True, kw_only=True)
class BinaryCrossEntropyLoss(Loss):
    """Cross-entropy of two classes, given by the probability of the second one.

    ``-target * log(prediction + epsilon) - (1 - target) * log(1 - prediction + epsilon)`` for
    each element; with `logits`, ``(1 - target) * prediction - log_sigmoid(prediction)``, which is
    the same of ``sigmoid(prediction)`` and which nothing can overflow.

    Parameters
    ----------
    logits : bool, default False
        Whether the prediction holds scores before a sigmoid, instead of probabilities.
    label_smoothing : float, default 0
        From 0 to 1: the target becomes ``(1 - label_smoothing) * target + label_smoothing / 2``.
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
    epsilon: float | None = None
    reduction: Reduction = "mean"

    def __post_init__(self) -> None:
        super().__post_init__()
        _check(self)

    def values(self, xp: Any, prediction: Any, target: Any) -> Any:
        if self.label_smoothing:
            target = label_smoothing(target, self.label_smoothing, axis=None)
        if self.logits:
            # Near the largest number, where infinity times 0 is 0 again.
            far = 0.5 * float(xp.finfo(prediction.dtype).max)
            prediction = xp.clip(prediction, -far, far)
            return (1.0 - target) * prediction - log_sigmoid(prediction)
        yes = weighted_log(xp, target, prediction, self.epsilon)
        return -yes - weighted_log_of_rest(xp, 1.0 - target, prediction, self.epsilon)


def _check(loss: CrossEntropyLoss | BinaryCrossEntropyLoss) -> None:
    flags(loss, "logits")
    probabilities(loss, "label_smoothing")
    if loss.epsilon is not None:
        non_negative(loss, "epsilon")


def _class_weights(loss: CrossEntropyLoss, given: Any) -> tuple[float, ...]:
    try:
        weights = tuple(map(float, given)) if not isinstance(given, str) else ()
    except (TypeError, ValueError, OverflowError):
        weights = ()
    if not weights or not all(0 <= weight < math.inf for weight in weights):
        refuse(loss, "class_weights is a sequence of finite numbers >= 0", given)
    return weights
