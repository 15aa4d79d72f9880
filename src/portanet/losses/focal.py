"""Cross-entropies that give less weight to what is already right."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from portanet.checks import flags, integers, non_negative
from portanet.functional import log_sigmoid, log_softmax, sigmoid
from portanet.functional.losses.reductions import times_log
from portanet.losses._base import Loss, Reduction
from portanet.losses._classes import check_classes, distribution, stabilizer


def _check(loss: FocalLoss | BinaryFocalLoss) -> None:
    non_negative(loss, "gamma")
    flags(loss, "logits")
    if loss.epsilon is not None:
        non_negative(loss, "epsilon")


def _discount(xp: Any, wrong: Any, gamma: float) -> Any:
    """Return ``wrong ** gamma`` of probabilities, which may be below 0 by rounding.

    Its derivative at 0, infinite for a gamma below 1, meets a logarithm of 1: it is taken for 0.
    """
    if gamma == 0:
        return xp.ones_like(wrong)
    right = wrong <= 0.0
    return xp.where(right, 0.0, xp.where(right, 1.0, wrong) ** gamma)


@dataclass(frozen=True, kw_only=True)
class FocalLoss(Loss):
    """Cross-entropy in which sure classes count less [1]_.

    For each sample ``-sum(target * (1 - p)**gamma * log(p + epsilon))`` over the class axis, where
    `p` is the prediction; with `logits`, its softmax.

    The target is one-hot or soft, in exactly the shape of the prediction, or an array of integers,
    the labels of the samples.

    Parameters
    ----------
    gamma : float, default 2
        From 0 up; with 0 it is the cross-entropy.
    logits : bool, default False
        Whether the prediction holds scores before a softmax, instead of probabilities.
    axis : int, default -1
        The axis of the classes.
    epsilon : float, optional
        Keeps the logarithm of probabilities finite; by default the machine epsilon of the
        prediction's dtype.
    reduction : {"mean", "sum", "none"}, default "mean"
        Over the samples, which are all axes but that of the classes.

    Raises
    ------
    IndexRangeError
        If a label is no class, as in `CrossEntropyLoss`.

    References
    ----------
    .. [1] T.-Y. Lin, P. Goyal, R. Girshick, K. He, P. Dollár, "Focal Loss for Dense Object
       Detection", ICCV 2017.

    Examples
    --------
    >>> import numpy as np
    >>> import portanet as pn
    >>> loss = pn.FocalLoss(reduction="none")
    >>> print(loss(np.asarray([[0.9, 0.1], [0.5, 0.5]]), np.asarray([0, 0])).round(5))
    [0.00105 0.17329]
    """

    gamma: float = 2.0
    logits: bool = False
    axis: int = -1
    epsilon: float | None = None
    reduction: Reduction = "mean"

    def __post_init__(self) -> None:
        super().__post_init__()
        _check(self)
        integers(self, "axis", minimum=None)

    def check(self, prediction: Any, target: Any) -> None:
        check_classes(self.axis, prediction, target)

    def values(self, xp: Any, prediction: Any, target: Any) -> Any:
        target = distribution(prediction, target, self.axis)
        if self.logits:
            log_p = log_softmax(prediction, self.axis)
            wrong = -xp.expm1(log_p)
        else:
            log_p = xp.log(prediction + stabilizer(xp, prediction, self.epsilon))
            wrong = 1.0 - prediction
        weight = target * _discount(xp, wrong, self.gamma)
        return -xp.sum(times_log(weight, log_p), axis=self.axis)


@dataclass(frozen=True, kw_only=True)
class BinaryFocalLoss(Loss):
    """Cross-entropy of two classes in which sure predictions count less [1]_.

    ``-(1 - p)**gamma * log(p + epsilon)`` for each element, where `p` is the probability of the
    right class, ``target * prediction + (1 - target) * (1 - prediction)``; with `logits` the
    prediction is a score before a sigmoid.

    Parameters
    ----------
    gamma : float, default 2
        From 0 up; with 0 it is the cross-entropy of targets 0 and 1.
    logits : bool, default False
        Whether the prediction holds scores before a sigmoid, instead of probabilities. The target
        is then 0 or 1.
    epsilon : float, optional
        Keeps the logarithm of probabilities finite; by default the machine epsilon of the
        prediction's dtype.
    reduction : {"mean", "sum", "none"}, default "mean"
        Over all elements.

    References
    ----------
    .. [1] T.-Y. Lin, P. Goyal, R. Girshick, K. He, P. Dollár, "Focal Loss for Dense Object
       Detection", ICCV 2017.

    Examples
    --------
    >>> import numpy as np
    >>> import portanet as pn
    >>> loss = pn.BinaryFocalLoss(reduction="none")
    >>> print(loss(np.asarray([0.9, 0.5]), np.asarray([1.0, 0.0])).round(5))
    [0.00105 0.17329]
    """

    gamma: float = 2.0
    logits: bool = False
    epsilon: float | None = None
    reduction: Reduction = "mean"

    def __post_init__(self) -> None:
        super().__post_init__()
        _check(self)

    def values(self, xp: Any, prediction: Any, target: Any) -> Any:
        if self.logits:
            signed = (2.0 * target - 1.0) * prediction
            return -_discount(xp, sigmoid(-signed), self.gamma) * log_sigmoid(signed)
        wrong = target * (1.0 - prediction) + (1.0 - target) * prediction
        log_p = xp.log1p(stabilizer(xp, wrong, self.epsilon) - wrong)
        return -_discount(xp, wrong, self.gamma) * log_p
