"""Losses of each number by itself, which a library may have as one operation."""

from __future__ import annotations

from typing import Any

from portanet.functional.activations.sigmoids import log_sigmoid
from portanet.functional.kernel import kernel
from portanet.interface import array_namespace


@kernel
def huber(prediction: Any, target: Any, delta: float) -> Any:
    """Return what `HuberLoss` says of each number."""
    xp = array_namespace(prediction, target)
    residual = prediction - target
    slope = xp.minimum(xp.maximum(residual, -delta), delta)
    return slope * (residual - 0.5 * slope)


@kernel
def smooth_l1(prediction: Any, target: Any, beta: float) -> Any:
    """Return what `SmoothL1Loss` says of each number."""
    xp = array_namespace(prediction, target)
    residual = prediction - target
    slope = xp.minimum(xp.maximum(residual / beta, -1.0), 1.0)
    return slope * (residual - 0.5 * beta * slope)


@kernel
def logistic(prediction: Any, target: Any) -> Any:
    """Return what `BinaryCrossEntropyLoss` says of each finite score."""
    return (1.0 - target) * prediction - log_sigmoid(prediction)
