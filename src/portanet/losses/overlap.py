"""Losses of the overlap of two regions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from portanet.checks import non_negative, probabilities
from portanet.losses._base import Loss, Reduction


def _sum(xp: Any, x: Any) -> Any:
    """Sum over all axes but the first; over all of a vector."""
    return xp.sum(x, axis=tuple(range(1, x.ndim)) if x.ndim > 1 else None)


@dataclass(frozen=True, kw_only=True)
class DiceLoss(Loss):
    """One minus the Dice coefficient of a predicted region and a target [1]_.

    ``1 - (2 * sum(target * prediction) + smooth) / (sum(prediction**2) + sum(target**2) + smooth)``
    for each sample, summed over all axes but the first; a vector is one sample.

    Parameters
    ----------
    smooth : float, default 1
        From 0 up. Above 0, two empty regions overlap entirely.
    reduction : {"mean", "sum", "none"}, default "mean"
        Over the samples.

    References
    ----------
    .. [1] F. Milletari, N. Navab, S.-A. Ahmadi, "V-Net: Fully Convolutional Neural Networks for
       Volumetric Medical Image Segmentation", 3DV 2016.

    Examples
    --------
    >>> import numpy as np
    >>> import portanet as pn
    >>> loss = pn.DiceLoss(smooth=0.0, reduction="none")
    >>> print(loss(np.asarray([[1.0, 1.0], [0.0, 1.0]]), np.asarray([[1.0, 1.0], [1.0, 1.0]])))
    [0.         0.33333333]
    """

    smooth: float = 1.0
    reduction: Reduction = "mean"

    def __post_init__(self) -> None:
        super().__post_init__()
        non_negative(self, "smooth")

    def values(self, xp: Any, prediction: Any, target: Any) -> Any:
        # One minus the quotient, without the digits that such a difference loses.
        sizes = _sum(xp, prediction * prediction + target * target)
        return _sum(xp, xp.square(prediction - target)) / (sizes + self.smooth)


@dataclass(frozen=True, kw_only=True)
class TverskyLoss(Loss):
    """One minus the Tversky index of a predicted region and a target [1]_.

    ``1 - (tp + smooth) / (tp + (1 - beta) * fp + beta * fn + smooth)`` for each sample, with the
    true positives ``tp = sum(target * prediction)``, the false positives
    ``fp = sum((1 - target) * prediction)`` and the false negatives
    ``fn = sum(target * (1 - prediction))``, summed over all axes but the first; a vector is one
    sample.

    As in the paper, `beta` is the weight of what is missed. (Flux's code gives it to the false
    positives, against its documentation.)

    Parameters
    ----------
    beta : float, default 0.7
        From 0 to 1; above 1/2, a missed point costs more than a false one.
    smooth : float, default 1
        From 0 up.
    reduction : {"mean", "sum", "none"}, default "mean"
        Over the samples.

    References
    ----------
    .. [1] S. S. M. Salehi, D. Erdogmus, A. Gholipour, "Tversky Loss Function for Image Segmentation
       Using 3D Fully Convolutional Deep Networks", MLMI 2017.

    Examples
    --------
    >>> import numpy as np
    >>> import portanet as pn
    >>> loss = pn.TverskyLoss(smooth=0.0, reduction="none")
    >>> print(loss(np.asarray([[1.0, 0.0], [1.0, 1.0]]), np.asarray([[1.0, 1.0], [1.0, 0.0]])))
    [0.41176471 0.23076923]
    """

    beta: float = 0.7
    smooth: float = 1.0
    reduction: Reduction = "mean"

    def __post_init__(self) -> None:
        super().__post_init__()
        probabilities(self, "beta")
        non_negative(self, "smooth")

    def values(self, xp: Any, prediction: Any, target: Any) -> Any:
        right = _sum(xp, target * prediction)
        false = _sum(xp, (1.0 - target) * prediction)
        missed = _sum(xp, target * (1.0 - prediction))
        wrong = (1.0 - self.beta) * false + self.beta * missed
        return wrong / (right + wrong + self.smooth)
