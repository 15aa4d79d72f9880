"""The best of what the epochs have measured."""

from __future__ import annotations

from typing import Any

from portanet import checks
from portanet.errors import HyperparameterError, shown
from portanet.training.run import Run


class Best:
    """The best value of what is called `monitor` in the history, so far.

    Parameters
    ----------
    owner : str
        Whom messages name.
    monitor : str
    mode : {"min", "max"} or None
        Which value is better; None asks the metric, and takes the smaller one of others.
    min_delta : float
        By how much a value has to be better.
    """

    def __init__(self, owner: str, monitor: Any, mode: Any, min_delta: Any = 0.0) -> None:
        if not isinstance(monitor, str):
            raise HyperparameterError(f"{owner}: monitor is a name: got {shown(monitor)}")
        if not isinstance(mode, str | None) or mode not in ("min", "max", None):
            raise HyperparameterError(f"{owner}: mode is 'min', 'max' or None: got {shown(mode)}")
        self._owner = owner
        self._monitor = monitor
        self._mode = mode
        self._min_delta = checks.number(f"{owner}: min_delta", min_delta)
        self.value: float | None = None

    def start(self, run: Run) -> None:
        """Forget the best value, and find out which one is better."""
        self.value = None
        larger = run.larger_is_better(self._monitor, self._owner) if self._mode is None else None
        self._sign = 1.0 if larger or self._mode == "max" else -1.0

    def improves(self, run: Run) -> bool:
        """Take what the last epoch has measured; return whether it is the best. NaN never is."""
        value = run.monitored(self._monitor, self._owner)
        if self.value is None:
            better = value == value
        else:
            better = self._sign * (value - self.value) > self._min_delta
        if better:
            self.value = value
        return better
