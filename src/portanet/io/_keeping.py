"""Which checkpoints stay: the last ones, and the one in which a metric is best."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from portanet import checks
from portanet.errors import ArgumentError, HyperparameterError, shown


@dataclass(frozen=True)
class Keeping:
    """How many of the last checkpoints stay, None for all, and by which metric the best one."""

    keep: int | None
    metric: str | None
    mode: str | None

    def __post_init__(self) -> None:
        if self.keep is not None:
            checks.integer("Checkpointer: keep", self.keep, 1)
        if not isinstance(self.metric, str | None):
            raise HyperparameterError(f"Checkpointer: best is a name: got {shown(self.metric)}")
        wanted = (None,) if self.metric is None else ("min", "max")
        if not isinstance(self.mode, str | None) or self.mode not in wanted:
            raise HyperparameterError(
                f"Checkpointer: mode is 'min' or 'max' where best names a metric, else None: got "
                f"best={self.metric!r}, mode={shown(self.mode)}"
            )

    def checked(self, metrics: Any) -> dict[str, float]:
        """Return what was measured; if there is any of it, the metric of the best one too."""
        if metrics is None:
            return {}
        if not isinstance(metrics, Mapping) or not all(isinstance(name, str) for name in metrics):
            raise ArgumentError(f"metrics is a dict of numbers by name: got {shown(metrics)}")
        if self.metric is not None and self.metric not in metrics:
            raise ArgumentError(
                f"metrics has {self.metric!r}, which says what is best: got {list(metrics)}"
            )
        try:
            return {name: float(value) for name, value in metrics.items()}
        except (TypeError, ValueError, RuntimeError, OverflowError):
            raise ArgumentError(f"metrics has numbers by name: got {shown(metrics)}") from None

    def best_of(self, measured: Mapping[int, Mapping[str, float]]) -> int | None:
        """Return the first step with the best value; NaN never is."""
        if self.metric is None:
            return None
        values = {step: own.get(self.metric, math.nan) for step, own in measured.items()}
        sign = 1 if self.mode == "min" else -1
        numbers = [(sign * value, step) for step, value in values.items() if not math.isnan(value)]
        return min(numbers)[1] if numbers else None
