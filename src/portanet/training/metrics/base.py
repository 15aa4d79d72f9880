"""What all metrics share: measured where the arrays are, counted on the host."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from portanet import checks
from portanet.errors import BackendMismatchError, ShapeError
from portanet.interface import backend_of, is_array_of

Total = dict[str, Any]
"""What a metric has counted so far: NumPy arrays by name, or lists of them to be joined."""


class Metric(ABC):
    """A number, or an array of numbers, that says how good predictions are.

    A metric is an immutable description. It is called with arrays of any library,
    ``metric(prediction, target, mask=None)``, or given to `portanet.training.fit` and
    `portanet.training.evaluate`, which count it over all batches: the result is that of all samples
    at once, whatever the size of the batches.

    A subclass is a frozen dataclass with three methods. `measure` runs where the arrays are, and
    returns what is needed of each sample; `add` counts it on the host, where the samples that a
    mask excludes are gone; `result` says what came out. `join` counts what several workers have.

    Attributes
    ----------
    larger_is_better : bool or None
        Which of two results is the better one, None if that cannot be said.
    """

    larger_is_better: ClassVar[bool | None] = True

    @property
    def name(self) -> str:
        """What the metric is called in a history: its class in lower case."""
        return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", type(self).__name__).lower()

    @abstractmethod
    def measure(self, prediction: Any, target: Any) -> Mapping[str, Any]:
        """Return arrays with an entry for each sample along their first axis, and integers."""

    @abstractmethod
    def add(self, total: Total | None, measured: Mapping[str, Any]) -> Total:
        """Return the total with a batch that was measured added to it; None is no total yet."""

    def join(self, total: Total, other: Total) -> Total:
        """Return the total of two workers' samples.

        Here numbers and arrays are added, and lists follow each other: a metric whose totals are
        others overrides it.
        """
        return {name: x + other[name] for name, x in total.items()}

    @abstractmethod
    def result(self, total: Total) -> Any:
        """Return the metric of all samples that were added."""

    def __call__(self, prediction: Any, target: Any, mask: Any = None) -> Any:
        """Return the metric of one batch.

        Parameters
        ----------
        prediction, target : array
            As the metric says.
        mask : array of bool of shape (N,), optional
            Which samples count.
        """
        return self.result(self.add(None, on_host(self.measure(prediction, target), mask)))


def namespace_of(prediction: Any, target: Any) -> Any:
    """Return the namespace of a real prediction and its target, which are arrays of one library."""
    checks.require_array("prediction", prediction)
    checks.require_array("target", target)
    backend = backend_of(prediction)
    if not is_array_of(backend, target):
        raise BackendMismatchError(
            f"prediction and target are of one library: {backend.name} and "
            f"{type(target).__module__}: move both with the same device"
        )
    checks.real_floating("prediction", prediction)
    checks.same_device("target", target, "prediction", prediction)
    return backend.xp


def on_host(measured: Mapping[str, Any], mask: Any) -> dict[str, Any]:
    """Return measured arrays as NumPy's, without the samples that a mask excludes."""
    kept = None
    if mask is not None:
        checks.require_array("mask", mask)
        kept = to_numpy(mask)
        if kept.dtype != np.bool_ or kept.ndim != 1:
            raise ShapeError(
                f"mask is an array of bool of shape (N,): got {kept.dtype} of shape {kept.shape}"
            )
    return {name: _of_kept(name, x, kept) for name, x in measured.items()}


def _of_kept(name: str, x: Any, kept: np.ndarray | None) -> Any:
    if isinstance(x, int):
        return x
    x = to_numpy(x)
    if kept is None:
        return x
    if x.shape[:1] != kept.shape:
        raise ShapeError(f"mask.shape == {name}.shape[:1]: {kept.shape} != {x.shape[:1]}")
    return x[kept]


def to_numpy(x: Any) -> np.ndarray:
    """Return an array of any library as NumPy's."""
    return np.asarray(backend_of(x).to_numpy(x))


def joined(part: Any) -> np.ndarray:
    """Return an entry of a total as one array."""
    return np.concatenate(part) if isinstance(part, list) else np.asarray(part)
