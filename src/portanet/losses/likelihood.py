"""Divergences and negative logarithms of likelihoods."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from portanet.checks import axis_of, flags, integers, non_negative, positive, probabilities
from portanet.functional import label_smoothing, lgamma, log_softmax
from portanet.functional.losses.reductions import times_log
from portanet.losses._base import Loss, Reduction, check_pair, parts
from portanet.losses._classes import weighted_log


@dataclass(frozen=True, kw_only=True)
class KLDivergenceLoss(Loss):
    """Kullback-Leibler divergence of a predicted distribution from a target.

    For each sample ``sum(target * log(target) - target * log(prediction + epsilon))`` over the
    class axis, where ``0 * log(0)`` is 0; with `logits`, of the softmax of the prediction.

    Parameters
    ----------
    logits : bool, default False
        Whether the prediction holds scores before a softmax, instead of probabilities. Logarithms
        of probabilities are such scores too.
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
    .. [1] S. Kullback, R. A. Leibler, "On Information and Sufficiency", Annals of Mathematical
       Statistics 22 (1951).

    Examples
    --------
    >>> import numpy as np
    >>> import portanet as pn
    >>> value = pn.KLDivergenceLoss()(np.full((2, 2), 0.5), np.eye(2))
    >>> print(value.round(6), round(np.log(2), 6))
    0.693147 0.693147
    """

    logits: bool = False
    label_smoothing: float = 0.0
    axis: int = -1
    epsilon: float | None = None
    reduction: Reduction = "mean"

    def __post_init__(self) -> None:
        super().__post_init__()
        flags(self, "logits")
        probabilities(self, "label_smoothing")
        integers(self, "axis", minimum=None)
        if self.epsilon is not None:
            non_negative(self, "epsilon")

    def check(self, prediction: Any, target: Any) -> None:
        super().check(prediction, target)
        axis_of("prediction", prediction, self.axis)

    def values(self, xp: Any, prediction: Any, target: Any) -> Any:
        if self.label_smoothing:
            target = label_smoothing(target, self.label_smoothing, axis=self.axis)
        if self.logits:
            cross = times_log(target, log_softmax(prediction, self.axis))
        else:
            cross = weighted_log(xp, target, prediction, self.epsilon)
        return xp.sum(weighted_log(xp, target, target, 0.0) - cross, axis=self.axis)


@dataclass(frozen=True, kw_only=True)
class PoissonLoss(Loss):
    """Negative log-likelihood of counts under a Poisson distribution.

    ``prediction - target * log(prediction + epsilon)`` for each element, where the prediction is
    the expected count; with `log_input` it is its logarithm, and the loss
    ``exp(prediction) - target * prediction``. With `full` the logarithm of the factorial of the
    target, ``lgamma(target + 1)``, is added, which does not depend on the prediction.

    Parameters
    ----------
    log_input : bool, default False
        Whether the prediction is the logarithm of the expected count.
    full : bool, default False
        Whether to add the logarithm of the factorial.
    epsilon : float, optional
        Keeps the logarithm finite; by default the machine epsilon of the prediction's dtype.
    reduction : {"mean", "sum", "none"}, default "mean"
        Over all elements.

    Examples
    --------
    >>> import numpy as np
    >>> import portanet as pn
    >>> loss = pn.PoissonLoss()
    >>> print(loss(np.asarray([1.0, 3.0, 3.0]), np.asarray([1.0, 2.0, 3.0])).round(6))
    0.502313
    """

    log_input: bool = False
    full: bool = False
    epsilon: float | None = None
    reduction: Reduction = "mean"

    def __post_init__(self) -> None:
        super().__post_init__()
        flags(self, "log_input", "full")
        if self.epsilon is not None:
            non_negative(self, "epsilon")

    def values(self, xp: Any, prediction: Any, target: Any) -> Any:
        if self.log_input:
            values = xp.exp(prediction) - times_log(target, prediction)
        else:
            values = prediction - weighted_log(xp, target, prediction, self.epsilon)
        return values + lgamma(target + 1.0) if self.full else values


@dataclass(frozen=True, kw_only=True)
class GaussianNLLLoss(Loss):
    """Negative log-likelihood of numbers under normal distributions with predicted variances [1]_.

    ``(log(v) + (mean - target)**2 / v) / 2`` for each element, where ``v = max(variance,
    epsilon)``.

    The prediction is a tuple ``(mean, variance)`` of two arrays in the shape of the target, as from
    `Parallel` or `BranchLayer`.

    Parameters
    ----------
    full : bool, default False
        Whether to add the constant ``log(2 π) / 2``.
    epsilon : float, default 1e-6
        The least variance, above 0. Below it the derivative with respect to the variance is 0.
    reduction : {"mean", "sum", "none"}, default "mean"
        Over all elements.

    References
    ----------
    .. [1] D. A. Nix, A. S. Weigend, "Estimating the Mean and Variance of the Target Probability
       Distribution", ICNN 1994.

    Examples
    --------
    >>> import numpy as np
    >>> import portanet as pn
    >>> mean, variance = np.asarray([1.0]), np.asarray([4.0])
    >>> print(pn.GaussianNLLLoss()((mean, variance), np.asarray([3.0])).round(6))
    1.193147
    """

    full: bool = False
    epsilon: float = 1e-6
    reduction: Reduction = "mean"

    def __post_init__(self) -> None:
        super().__post_init__()
        flags(self, "full")
        positive(self, "epsilon")

    def check(self, prediction: Any, target: Any) -> None:
        for name, x in zip(_NAMES, parts("prediction", prediction, _NAMES), strict=True):
            check_pair(name, x, "target", target)

    def values(self, xp: Any, prediction: Any, target: Any) -> Any:
        mean, variance = prediction
        variance = xp.maximum(variance, self.epsilon)
        values = 0.5 * (xp.log(variance) + xp.square(mean - target) / variance)
        return values + 0.5 * math.log(2.0 * math.pi) if self.full else values


_NAMES = ("mean", "variance")
