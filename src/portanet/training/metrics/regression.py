"""Metrics of numbers."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from portanet import checks
from portanet.errors import ArgumentError, DTypeError, ShapeError, shown
from portanet.interface import backend_of, dtype_name, is_array
from portanet.training.metrics._classes import check_samples
from portanet.training.metrics.base import Metric, Total, namespace_of


class _Numbers(Metric):
    """A metric of real predictions in the shape of their targets, counted in float64."""

    def measure(self, prediction: Any, target: Any) -> Mapping[str, Any]:
        namespace_of(prediction, target)
        checks.rank_at_least("prediction", prediction, 1)
        checks.same_shape("prediction", prediction, "target", target)
        return {"prediction": prediction, "target": target}


def _wide(measured: Mapping[str, Any]) -> tuple[np.ndarray, np.ndarray]:
    prediction, target = measured["prediction"], measured["target"]
    return prediction.astype(np.float64), target.astype(np.float64)


@dataclass(frozen=True)
class MeanAbsoluteError(_Numbers):
    """The mean of ``|prediction - target|`` over all entries; both have one shape.

    Examples
    --------
    >>> import numpy as np
    >>> import portanet as pn
    >>> mean = pn.training.metrics.MeanAbsoluteError()
    >>> mean(np.asarray([2.5, 0.0, 2.0, 8.0]), np.asarray([3.0, -0.5, 2.0, 7.0]))
    0.5
    """

    larger_is_better = False

    def add(self, total: Total | None, measured: Mapping[str, Any]) -> Total:
        prediction, target = _wide(measured)
        return _summed(total, np.abs(prediction - target))

    def result(self, total: Total) -> float:
        return _mean(total)


@dataclass(frozen=True)
class MeanSquaredError(_Numbers):
    """The mean of ``(prediction - target)²`` over all entries; both have one shape.

    Parameters
    ----------
    root : bool, default False
        Whether the result is its root, in the unit of the target.

    Examples
    --------
    >>> import numpy as np
    >>> import portanet as pn
    >>> prediction, target = np.asarray([2.5, 0.0, 2.0, 8.0]), np.asarray([3.0, -0.5, 2.0, 7.0])
    >>> pn.training.metrics.MeanSquaredError()(prediction, target)
    0.375
    """

    larger_is_better = False

    root: bool = False

    def __post_init__(self) -> None:
        checks.flags(self, "root")

    @property
    def name(self) -> str:
        return "root_mean_squared_error" if self.root else "mean_squared_error"

    def add(self, total: Total | None, measured: Mapping[str, Any]) -> Total:
        prediction, target = _wide(measured)
        return _summed(total, (prediction - target) ** 2)

    def result(self, total: Total) -> float:
        mean = _mean(total)
        return math.sqrt(mean) if self.root else mean


def _summed(total: Total | None, values: np.ndarray) -> Total:
    """Return a total with the sum and the number of some values added."""
    before = total or {"sum": np.float64(0), "entries": np.int64(0)}
    return {"sum": before["sum"] + np.sum(values), "entries": before["entries"] + values.size}


def _mean(total: Total) -> float:
    check_samples(total["entries"])
    return float(total["sum"] / total["entries"])


@dataclass(frozen=True)
class MeanOf(Metric):
    """The mean of a function of predictions and targets.

    ``metrics={"name": function}`` and ``metrics=[function]`` stand for it.

    Parameters
    ----------
    function : callable
        ``function(prediction, target)`` returns an array of real numbers whose first axis counts
        the samples, such as one number for each. It is called where the arrays are.

    Raises
    ------
    ArgumentError
        If `function` does not take two arguments.

    Examples
    --------
    >>> import numpy as np
    >>> import portanet as pn
    >>> far = pn.training.metrics.MeanOf(lambda prediction, target: abs(prediction - target) > 1)
    >>> far(np.asarray([2.5, 0.0, 2.0, 9.0]), np.asarray([3.0, -0.5, 2.0, 7.0]))
    0.25
    """

    larger_is_better = None

    function: Callable[[Any, Any], Any]

    def __post_init__(self) -> None:
        if not checks.takes(self.function, 2):
            raise ArgumentError(
                f"a metric is one such as pn.training.metrics.Accuracy(), or a function of a "
                f"prediction and a target: got {shown(self.function)}"
            )

    @property
    def name(self) -> str:
        return getattr(self.function, "__name__", type(self.function).__name__)

    def measure(self, prediction: Any, target: Any) -> Mapping[str, Any]:
        values = self.function(prediction, target)
        if not is_array(values) or len(values.shape) < 1:
            raise ShapeError(
                f"the metric {self.name} returns an array with an entry for each sample along its "
                f"first axis: got {shown(values)}: do not take the mean, which all batches have "
                f"together"
            )
        if backend_of(values).is_complex(values.dtype):
            raise DTypeError(
                f"the metric {self.name} returns real numbers: got {dtype_name(values)}"
            )
        return {"values": values}

    def add(self, total: Total | None, measured: Mapping[str, Any]) -> Total:
        return _summed(total, measured["values"].astype(np.float64))

    def result(self, total: Total) -> float:
        return _mean(total)


@dataclass(frozen=True)
class R2Score(_Numbers):
    """The coefficient of determination ``1 - sum((target - prediction)²) / sum((target - mean)²)``.

    Sums and the mean are over the samples, the first axis; of several outputs it is the mean. Where
    the target is constant it is 1 if the prediction is the same, else 0.

    Examples
    --------
    >>> import numpy as np
    >>> import portanet as pn
    >>> score = pn.training.metrics.R2Score()
    >>> round(score(np.asarray([2.5, 0.0, 2.0, 8.0]), np.asarray([3.0, -0.5, 2.0, 7.0])), 3)
    0.949
    """

    @property
    def name(self) -> str:
        return "r2"

    def add(self, total: Total | None, measured: Mapping[str, Any]) -> Total:
        prediction, target = _wide(measured)
        count = target.shape[0]
        if not count:
            return total or {"samples": np.int64(0)}
        mean = np.mean(target, axis=0)
        new = {
            "samples": np.int64(count),
            "mean": mean,
            "squares": np.sum((target - mean) ** 2, axis=0),
            "errors": np.sum((target - prediction) ** 2, axis=0),
        }
        return new if total is None else self.join(total, new)

    def join(self, total: Total, other: Total) -> Total:
        if not (total["samples"] and other["samples"]):
            return total if total["samples"] else other
        return _together(total, other)

    def result(self, total: Total) -> float:
        check_samples(total["samples"])
        squares, errors = total["squares"], total["errors"]
        constant = squares == 0
        scores = np.where(
            constant,
            np.where(errors == 0, 1.0, 0.0),
            1.0 - errors / np.where(constant, 1.0, squares),
        )
        return float(np.mean(scores))


def _together(a: Total, b: Total) -> Total:
    """Return the sums of two sets of samples, about the mean of both.

    T. F. Chan, G. H. Golub, R. J. LeVeque, "Updating Formulae and a Pairwise Algorithm for
    Computing Sample Variances", 1979.
    """
    samples = a["samples"] + b["samples"]
    apart = b["mean"] - a["mean"]
    return {
        "samples": samples,
        "mean": a["mean"] + apart * (b["samples"] / samples),
        "squares": a["squares"]
        + b["squares"]
        + apart**2 * (a["samples"] * (b["samples"] / samples)),
        "errors": a["errors"] + b["errors"],
    }
