"""Losses between numbers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from portanet.checks import non_negative, positive
from portanet.functional import mean_squared_error
from portanet.functional.losses.elementwise import huber, smooth_l1
from portanet.losses._base import Loss, Reduction
from portanet.losses._classes import stabilizer


@dataclass(frozen=True, kw_only=True)
class MSELoss(Loss):
    """Squared error, ``(prediction - target)**2``.

    Parameters
    ----------
    reduction : {"mean", "sum", "none"}, default "mean"
        Over all elements.

    Examples
    --------
    >>> import numpy as np
    >>> import portanet as pn
    >>> loss = pn.MSELoss()
    >>> print(round(float(loss(np.asarray([1.1, 1.9, 3.1]), np.asarray([1.0, 2.0, 3.0]))), 6))
    0.01

    As the objective of a model:

    >>> model = pn.Dense(2, 1)
    >>> ps, st = pn.setup(np.random.default_rng(0), model)
    >>> x, y = np.ones((4, 2), np.float32), np.zeros((4, 1), np.float32)
    >>> value, st, stats = loss(model, ps, st, (x, y))
    >>> value.shape, stats
    ((), {})
    """

    reduction: Reduction = "mean"

    def mean(self, xp: Any, prediction: Any, target: Any) -> Any:
        return mean_squared_error(prediction, target)

    def values(self, xp: Any, prediction: Any, target: Any) -> Any:
        residual = prediction - target
        return residual * residual


@dataclass(frozen=True, kw_only=True)
class MAELoss(Loss):
    """Absolute error, ``abs(prediction - target)``. Its derivative is 0 where the two are equal.

    Parameters
    ----------
    reduction : {"mean", "sum", "none"}, default "mean"
        Over all elements.

    Examples
    --------
    >>> import numpy as np
    >>> import portanet as pn
    >>> loss = pn.MAELoss(reduction="sum")
    >>> print(loss(np.asarray([1.0, 3.0]), np.asarray([2.0, 1.0])))
    3.0
    """

    reduction: Reduction = "mean"

    def values(self, xp: Any, prediction: Any, target: Any) -> Any:
        return xp.abs(prediction - target)


@dataclass(frozen=True, kw_only=True)
class HuberLoss(Loss):
    """Squared error near the target, absolute error far from it.

    With ``r = prediction - target``: ``r**2 / 2`` where ``abs(r) <= delta``, else
    ``delta * (abs(r) - delta / 2)``.

    Parameters
    ----------
    delta : float, default 1
        Where the parabola becomes a line, above 0.
    reduction : {"mean", "sum", "none"}, default "mean"
        Over all elements.

    References
    ----------
    .. [1] P. J. Huber, "Robust Estimation of a Location Parameter", Annals of Mathematical
       Statistics 35 (1964).

    Examples
    --------
    >>> import numpy as np
    >>> import portanet as pn
    >>> loss = pn.HuberLoss(delta=2.0, reduction="none")
    >>> print(loss(np.asarray([1.0, 10.0]), np.asarray([0.0, 0.0])))
    [ 0.5 18. ]
    """

    delta: float = 1.0
    reduction: Reduction = "mean"

    def __post_init__(self) -> None:
        super().__post_init__()
        positive(self, "delta")

    def values(self, xp: Any, prediction: Any, target: Any) -> Any:
        return huber(prediction, target, self.delta)


@dataclass(frozen=True, kw_only=True)
class SmoothL1Loss(Loss):
    """Absolute error, rounded near the target.

    With ``r = prediction - target``: ``r**2 / (2 * beta)`` where ``abs(r) < beta``, else
    ``abs(r) - beta / 2``. It is `HuberLoss` divided by `beta`: far from the target the slope is 1
    whatever `beta` is.

    Parameters
    ----------
    beta : float, default 1
        Where the parabola becomes a line, above 0.
    reduction : {"mean", "sum", "none"}, default "mean"
        Over all elements.

    References
    ----------
    .. [1] R. Girshick, "Fast R-CNN", ICCV 2015.

    Examples
    --------
    >>> import numpy as np
    >>> import portanet as pn
    >>> loss = pn.SmoothL1Loss(beta=2.0, reduction="none")
    >>> print(loss(np.asarray([1.0, 10.0]), np.asarray([0.0, 0.0])))
    [0.25 9.  ]
    """

    beta: float = 1.0
    reduction: Reduction = "mean"

    def __post_init__(self) -> None:
        super().__post_init__()
        positive(self, "beta")

    def values(self, xp: Any, prediction: Any, target: Any) -> Any:
        return smooth_l1(prediction, target, self.beta)


@dataclass(frozen=True, kw_only=True)
class MSLELoss(Loss):
    """Squared error of logarithms, ``log((prediction + epsilon) / (target + epsilon))**2``.

    Parameters
    ----------
    epsilon : float, optional
        Keeps the logarithms of zero finite; by default the machine epsilon of the prediction's
        dtype.
    reduction : {"mean", "sum", "none"}, default "mean"
        Over all elements.

    Examples
    --------
    >>> import numpy as np
    >>> import portanet as pn
    >>> loss = pn.MSLELoss()
    >>> print(loss(np.asarray([1.1, 2.2, 3.3]), np.asarray([1.0, 2.0, 3.0])).round(6))
    0.009084
    """

    epsilon: float | None = None
    reduction: Reduction = "mean"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.epsilon is not None:
            non_negative(self, "epsilon")

    def values(self, xp: Any, prediction: Any, target: Any) -> Any:
        epsilon = stabilizer(xp, prediction, self.epsilon)
        return xp.square(xp.log((prediction + epsilon) / (target + epsilon)))
