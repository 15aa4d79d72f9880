"""What losses between distributions over classes share."""

from __future__ import annotations

import math
from typing import Any

from portanet import checks
from portanet.errors import ShapeError
from portanet.functional.losses.labels import (
    checked_labels,
    is_class,
    label_smoothing,
    one_hot,
)
from portanet.interface import array_namespace
from portanet.losses._base import check_pair


def is_label(target: Any) -> bool:
    """Whether a target holds the numbers of classes instead of probabilities."""
    return hasattr(target, "dtype") and bool(
        array_namespace(target).isdtype(target.dtype, "integral")
    )


def check_classes(axis: int, prediction: Any, target: Any) -> None:
    """The target holds probabilities like the prediction, or a label for each of its samples."""
    if not is_label(target):
        check_pair("prediction", prediction, "target", target)
        checks.axis_of("prediction", prediction, axis)
        return
    checks.real_floating("prediction", prediction)
    array_namespace(prediction, target)
    checks.same_device("target", target, "prediction", prediction)
    checks.axis_of("prediction", prediction, axis)
    shape = list(prediction.shape)
    classes = shape.pop(axis)
    if tuple(target.shape) != tuple(shape):
        raise ShapeError(
            f"target.shape == prediction.shape without the axis of the {classes} classes: "
            f"{tuple(target.shape)} != {tuple(shape)}: integers are the labels of the samples"
        )


def distribution(prediction: Any, target: Any, axis: int, smoothing: float = 0.0) -> Any:
    """Return the target as probabilities, smoothed, in the shape of the prediction."""
    if is_label(target):
        target = _one_hot(target, prediction, axis)
    return label_smoothing(target, smoothing, axis=axis) if smoothing else target


def _one_hot(labels: Any, prediction: Any, axis: int) -> Any:
    """Return a one at the place of each label, and NaN where a label that is no class got here."""
    xp, classes = array_namespace(prediction, labels), prediction.shape[axis]
    labels = checked_labels(labels, classes)
    ones = one_hot(labels, classes, axis=axis, dtype=prediction.dtype)
    return xp.where(xp.expand_dims(is_class(labels, classes), axis=axis), ones, math.nan)


def samples(prediction: Any, axis: int) -> int:
    """Return how many samples a prediction has."""
    return math.prod(prediction.shape) // prediction.shape[axis]


def weighted_log(xp: Any, weight: Any, p: Any, epsilon: float | None) -> Any:
    """Return ``weight * log(p + epsilon)``, where zero times the logarithm of zero is zero."""
    if epsilon == 0:
        return weight * xp.log(xp.where(weight == 0, 1.0, p))
    return weight * xp.log(p + stabilizer(xp, p, epsilon))


def weighted_log_of_rest(xp: Any, weight: Any, p: Any, epsilon: float | None) -> Any:
    """Return ``weight * log(1 - p + epsilon)``, as `weighted_log` does, with all digits of `p`."""
    if epsilon == 0:
        return weight * xp.log1p(-xp.where(weight == 0, 0.0, p))
    return weight * xp.log1p(stabilizer(xp, p, epsilon) - p)


def stabilizer(xp: Any, x: Any, epsilon: float | None) -> float:
    """Return `epsilon`, or without one the machine epsilon of the dtype of `x`."""
    return float(xp.finfo(x.dtype).eps) if epsilon is None else epsilon
