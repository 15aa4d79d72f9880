"""What losses between distributions over classes share."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Set
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from portanet import checks
from portanet.errors import DTypeError, ShapeError
from portanet.functional.indices import as_indices
from portanet.functional.losses.labels import (
    checked_labels,
    is_class,
    is_own,
    label_smoothing,
    of_classes,
    of_labels,
    one_hot,
)
from portanet.interface import array_namespace, device_of
from portanet.losses._base import check_pair
from portanet.losses.masked import of_samples


def is_label(target: Any) -> bool:
    """Whether a target holds the numbers of classes instead of probabilities."""
    return hasattr(target, "dtype") and bool(
        array_namespace(target).isdtype(target.dtype, "integral")
    )


def check_classes(axis: int, prediction: Any, target: Any) -> None:
    """The target holds probabilities like the prediction, or a label for each of its samples."""
    if not is_label(target):
        _check_distribution(axis, prediction, target)
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


def _check_distribution(axis: int, prediction: Any, target: Any) -> None:
    try:
        check_pair("prediction", prediction, "target", target)
    except ShapeError as error:
        shape = list(prediction.shape)
        classes = shape.pop(axis) if -len(shape) <= axis < len(shape) else 1
        if classes > 1 and tuple(target.shape) == tuple(shape):
            error.message += ": labels are integers, convert them with xp.astype(target, xp.int32)"
        raise


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


@dataclass(frozen=True)
class Labels:
    """The labels of all samples, all of them classes.

    Parameters
    ----------
    labels : array of int
    classes, axis : int
        How many there are, and along which axis of the prediction.
    kept : array of bool or None
        Which samples count; None if all do.
    """

    labels: Any
    classes: int
    axis: int
    kept: Any

    @classmethod
    def of(cls, prediction: Any, labels: Any, axis: int, ignore_index: int | None) -> Labels:
        """Return the labels of the samples of a prediction, 0 where they are ignored."""
        xp, classes, kept = array_namespace(prediction, labels), prediction.shape[axis], None
        if ignore_index is not None:
            labels = as_indices(labels)
            kept = labels != ignore_index
            labels = xp.where(kept, labels, 0)
        labels = checked_labels(labels, classes)
        return cls(labels, classes, axis, kept)

    @cached_property
    def own(self) -> Any:
        """Of each class of each sample, whether it is the label."""
        return is_own(self.labels, self.classes, self.axis)

    def without_ignored(self, xp: Any, prediction: Any) -> Any:
        """Return a prediction with 1 for the samples that do not count."""
        if self.kept is None:
            return prediction
        return xp.where(xp.expand_dims(self.kept, axis=self.axis), prediction, 1.0)

    def pick(self, x: Any) -> Any:
        """Return the entries of the labels' classes."""
        return of_labels(x, self.labels, self.classes, self.axis)

    def counted(self, xp: Any, values: Any, weights: Any) -> tuple[Any, Any]:
        """Return the losses and the weights of samples: 0 where they do not count.

        The loss is NaN where a label that is no class got here.
        """
        if self.kept is not None:
            values, kept = xp.where(self.kept, values, 0.0), xp.astype(self.kept, values.dtype)
            weights = kept if weights is None else weights * kept
        return of_classes(values, self.labels, self.classes), weights


def weighted_mean(xp: Any, values: Any, weights: Any) -> Any:
    """Return the sum of losses by the sum of their weights, 0 where that is 0; None weighs all."""
    if weights is None:
        return xp.mean(values)
    total = xp.sum(weights)
    return xp.sum(values) / xp.where(total == 0, 1.0, total)


_IGNORED = -(2**31)
"""A label that no class has, in any dtype of labels."""


def ignoring(loss: Any, xp: Any, labels: Any, mask: Any) -> tuple[Any, Any]:
    """Return a loss that ignores a label, and labels with that for samples that do not count."""
    ignored = _IGNORED if loss.ignore_index is None else loss.ignore_index
    kept = of_samples(xp, mask, labels)
    labels = xp.where(kept, as_indices(labels), ignored)
    return dataclasses.replace(loss, ignore_index=ignored), labels


def check_ignored(ignore_index: int | None, target: Any) -> None:
    """There is nothing to ignore in a target of probabilities."""
    if ignore_index is not None and not is_label(target):
        raise DTypeError(
            "target.dtype is an integer: ignore_index is a label: give the target as labels, or "
            "leave ignore_index out"
        )


def check_labels(axis: int, prediction: Any, target: Any) -> None:
    """The target holds a label for each sample of the prediction."""
    if not is_label(target):
        checks.integral("target", target)
    check_classes(axis, prediction, target)


def check_weights(weights: tuple[float, ...] | None, prediction: Any, axis: int) -> None:
    """There is a weight for each class."""
    if weights is not None and len(weights) != prediction.shape[axis]:
        raise ShapeError(
            f"len(class_weights) == prediction.shape[{axis}]: {len(weights)} != "
            f"{prediction.shape[axis]}"
        )


def as_weights(loss: Any, name: str) -> None:
    """The field is a sequence of finite numbers from 0 up; it becomes a tuple of floats."""
    given = getattr(loss, name)
    ordered = not isinstance(given, str | bytes | Mapping | Set)
    try:
        weights = tuple(map(float, given)) if ordered else ()
    except (TypeError, ValueError, OverflowError):
        weights = ()
    if not weights or not all(0 <= weight < math.inf for weight in weights):
        checks.refuse(loss, f"{name} is a sequence of finite numbers >= 0", given)
    object.__setattr__(loss, name, weights)


def along(axis: int, weights: tuple[float, ...], like: Any) -> Any:
    """Return numbers as an array along one axis of another one."""
    xp, rank = array_namespace(like), len(like.shape)
    array = xp.asarray(weights, dtype=like.dtype, device=device_of(like))
    return xp.reshape(array, (-1, *(1,) * (rank - 1 - axis % rank)))


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
