"""Losses of scores that should exceed a margin."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from portanet.losses._base import Loss, Reduction


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
