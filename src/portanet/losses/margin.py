"""Losses of scores that should exceed a margin."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from portanet.checks import finite, integers, one_of
from portanet.functional import log_sigmoid
from portanet.losses._base import Loss, Reduction
from portanet.losses._classes import (
    Labels,
    along,
    as_weights,
    check_labels,
    check_weights,
)


@dataclass(frozen=True, kw_only=True)
class HingeLoss(Loss):
    """Hinge, ``max(0, 1 - target * prediction)``, for targets -1 and 1.

    The derivative is that of the formula, ``-target`` within the margin. (Lux's own rule has the
    wrong sign there for a target of 1.)

    Parameters
    ----------
    reduction : {"mean", "sum", "none"}, default "mean"
        Over all elements.

    References
    ----------
    .. [1] C. Cortes, V. Vapnik, "Support-Vector Networks", Machine Learning 20 (1995).

    Examples
    --------
    >>> import numpy as np
    >>> import portanet as pn
    >>> loss = pn.HingeLoss(reduction="none")
    >>> print(loss(np.asarray([0.25, 3.0]), np.asarray([-1.0, 1.0])))
    [1.25 0.  ]
    """

    reduction: Reduction = "mean"

    def values(self, xp: Any, prediction: Any, target: Any) -> Any:
        return xp.maximum(1.0 - target * prediction, 0.0)


@dataclass(frozen=True, kw_only=True)
class SquaredHingeLoss(Loss):
    """Square of the hinge, ``max(0, 1 - target * prediction)**2``, for targets -1 and 1.

    The derivative is that of the formula. (Lux's own rule has the wrong sign for a target of -1.)

    Parameters
    ----------
    reduction : {"mean", "sum", "none"}, default "mean"
        Over all elements.

    Examples
    --------
    >>> import numpy as np
    >>> import portanet as pn
    >>> loss = pn.SquaredHingeLoss(reduction="none")
    >>> print(loss(np.asarray([0.25, 3.0]), np.asarray([-1.0, 1.0])))
    [1.5625 0.    ]
    """

    reduction: Reduction = "mean"

    def values(self, xp: Any, prediction: Any, target: Any) -> Any:
        return xp.square(xp.maximum(1.0 - target * prediction, 0.0))


@dataclass(frozen=True, kw_only=True)
class SoftMarginLoss(Loss):
    """Logistic loss, ``log(1 + exp(-target * prediction))``, for targets -1 and 1.

    Nothing can overflow in it.

    Parameters
    ----------
    reduction : {"mean", "sum", "none"}, default "mean"
        Over all elements.

    Examples
    --------
    >>> import numpy as np
    >>> import portanet as pn
    >>> loss = pn.SoftMarginLoss(reduction="none")
    >>> print(loss(np.asarray([0.0, 1000.0]), np.asarray([1.0, -1.0])).round(6))
    [6.93147e-01 1.00000e+03]
    """

    reduction: Reduction = "mean"

    def values(self, xp: Any, prediction: Any, target: Any) -> Any:
        return -log_sigmoid(target * prediction)


@dataclass(frozen=True, kw_only=True)
class MultiMarginLoss(Loss):
    """Hinge of several classes [1]_: each score should be below that of the label by a margin.

    For each sample ``sum(max(0, margin - prediction[label] + prediction[k])**power) / K`` over all
    K classes but that of the label. The target is an array of integers, the label of the class of
    each sample: the shape of the prediction without the class axis.

    Parameters
    ----------
    margin : float, default 1
    power : {1, 2}, default 1
    class_weights : sequence of float, optional
        A factor from 0 up for each class, by which the losses of its samples are multiplied.
    axis : int, default -1
        The axis of the classes.
    reduction : {"mean", "sum", "none"}, default "mean"
        Over the samples, which are all axes but that of the classes.

    Raises
    ------
    IndexRangeError
        If a label is no class, as in `CrossEntropyLoss`.

    References
    ----------
    .. [1] K. Crammer, Y. Singer, "On the Algorithmic Implementation of Multiclass Kernel-based
       Vector Machines", Journal of Machine Learning Research 2 (2001).

    Examples
    --------
    >>> import numpy as np
    >>> import portanet as pn
    >>> scores = np.asarray([[0.1, 0.2, 0.4, 0.8]])
    >>> print(pn.MultiMarginLoss()(scores, np.asarray([3])).round(6))
    0.325
    """

    margin: float = 1.0
    power: int = 1
    class_weights: Any = None
    axis: int = -1
    reduction: Reduction = "mean"

    def __post_init__(self) -> None:
        super().__post_init__()
        finite(self, "margin")
        one_of(self, "power", (1, 2))
        integers(self, "axis", minimum=None)
        if self.class_weights is not None:
            as_weights(self, "class_weights")

    def check(self, prediction: Any, target: Any) -> None:
        check_labels(self.axis, prediction, target)
        check_weights(self.class_weights, prediction, self.axis)

    def values(self, xp: Any, prediction: Any, target: Any) -> Any:
        given = Labels.of(prediction, target, self.axis, None)
        own = xp.expand_dims(given.pick(prediction), axis=self.axis)
        excess = xp.maximum(self.margin - own + prediction, 0.0)
        excess = xp.where(given.own, 0.0, excess if self.power == 1 else xp.square(excess))
        values = xp.sum(excess, axis=self.axis) * (1.0 / given.classes)
        if self.class_weights is not None:
            values = values * given.pick(along(self.axis, self.class_weights, prediction))
        return given.counted(xp, values, None)[0]
