"""Losses between class probabilities."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from portanet.checks import flags, integers, non_negative, probabilities
from portanet.errors import ShapeError
from portanet.functional import inner_product, log_sigmoid, log_softmax
from portanet.losses._base import Loss, Reduction

__all__ = ["BinaryCrossEntropyLoss", "CrossEntropyLoss"]


def _check(loss: CrossEntropyLoss | BinaryCrossEntropyLoss) -> None:
    flags(loss, "logits")
    probabilities(loss, "label_smoothing")
    if loss.epsilon is not None:
        non_negative(loss, "epsilon")


def _weighted_log(xp: Any, weight: Any, p: Any, epsilon: float | None) -> Any:
    """Return ``weight * log(p + epsilon)``, where zero times the logarithm of zero is zero."""
    if epsilon == 0:
        return weight * xp.log(xp.where(weight == 0, 1.0, p))
    return weight * xp.log(p + (float(xp.finfo(p.dtype).eps) if epsilon is None else epsilon))


@dataclass(frozen=True, kw_only=True)
class CrossEntropyLoss(Loss):
    """Cross-entropy of a target distribution over classes and a predicted one.

    For each sample ``-sum(target * log(prediction + epsilon))`` over the class axis; with
    `logits`, ``-sum(target * log_softmax(prediction))``, which nothing can overflow.

    The target is one-hot or soft: it holds probabilities in exactly the shape of the prediction.

    Parameters
    ----------
    logits : bool, default False
        Whether the prediction holds scores before a softmax, instead of probabilities.
    label_smoothing : float, default 0
        From 0 to 1: the target becomes ``(1 - label_smoothing) * target + label_smoothing / K``
        for K classes.
    axis : int, default -1
        The axis of the classes.
    epsilon : float, optional
        Keeps the logarithm of probabilities finite; by default the machine epsilon of the
        prediction's dtype.
    reduction : {"mean", "sum", "none"}, default "mean"
        Over the samples, which are all axes but that of the classes.

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
    """

    logits: bool = False
    label_smoothing: float = 0.0
    axis: int = -1
    epsilon: float | None = None
    reduction: Reduction = "mean"

    def __post_init__(self) -> None:
        super().__post_init__()
        _check(self)
        integers(self, "axis", minimum=None)

    def mean(self, xp: Any, prediction: Any, target: Any) -> Any:
        if not self.logits:
            return super().mean(xp, prediction, target)
        target = self._smoothed(prediction, target)
        samples = math.prod(prediction.shape) // prediction.shape[self.axis]
        return inner_product(target, log_softmax(prediction, self.axis)) * (-1.0 / samples)

    def values(self, xp: Any, prediction: Any, target: Any) -> Any:
        target = self._smoothed(prediction, target)
        if self.logits:
            weighted = target * log_softmax(prediction, self.axis)
        else:
            weighted = _weighted_log(xp, target, prediction, self.epsilon)
        return -xp.sum(weighted, axis=self.axis)

    def _smoothed(self, prediction: Any, target: Any) -> Any:
        axis, rank = self.axis, len(prediction.shape)
        if not -rank <= axis < rank:
            raise ShapeError(
                f"-prediction.ndim <= axis < prediction.ndim: axis is {axis}, "
                f"prediction.ndim is {rank}"
            )
        if not self.label_smoothing:
            return target
        rest = self.label_smoothing / prediction.shape[axis]
        return (1.0 - self.label_smoothing) * target + rest


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
            target = (1.0 - self.label_smoothing) * target + self.label_smoothing / 2.0
        if self.logits:
            return (1.0 - target) * prediction - log_sigmoid(prediction)
        yes = _weighted_log(xp, target, prediction, self.epsilon)
        return -yes - _weighted_log(xp, 1.0 - target, 1.0 - prediction, self.epsilon)
