"""Learning rates that follow the epochs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from portanet import checks, optimizers
from portanet.errors import HyperparameterError, shown
from portanet.optimizers.groups import rules_in
from portanet.training.callbacks.base import Callback
from portanet.training.callbacks.best import Best
from portanet.training.run import Run
from portanet.training.state import TrainState


class Schedule(Callback):
    """Sets hyperparameters of the optimizer before each epoch.

    The history has them by their names.

    `portanet.optimizers.Scheduler` sets them before each step.

    Parameters
    ----------
    **schedules
        A function of the number of epochs so far for each hyperparameter by name, such as those of
        `portanet.optimizers.schedules`.

    Raises
    ------
    HyperparameterError
        If one is no function; in training, if the optimizer has no such field or the value is out
        of its range.

    Examples
    --------
    >>> import portanet as pn
    >>> halving = pn.optimizers.schedules.ExponentialDecay(0.1, decay=0.5)
    >>> schedule = pn.training.callbacks.Schedule(lr=halving)
    """

    def __init__(self, **schedules: Callable[[int], float]) -> None:
        for name, schedule in schedules.items():
            checks.function_of(f"Schedule: {name}, of the epoch,", schedule)
        self._schedules = schedules

    def on_start(self, run: Run) -> None:
        self._set(run)

    def on_epoch(self, run: Run) -> None:
        self._set(run)

    def restore(self, run: Run, state: Mapping[str, Any]) -> None:
        self._set(run)  # a run that was over had no next epoch, which this one may have

    def _set(self, run: Run) -> None:
        """Set what the next epoch has, if there is one."""
        epochs = run.history.epochs
        if epochs >= run.epochs:
            return
        values: dict[str, Any] = {
            name: float(schedule(epochs)) for name, schedule in self._schedules.items()
        }
        if values:
            run.ts = optimizers.adjust(run.ts, **values)
            run.noted.update(values)


class ReduceOnPlateau(Callback):
    """Multiplies the learning rate by a factor when nothing gets better.

    The history has it as ``lr``.

    Parameters
    ----------
    factor : float, default 0.1
        Between 0 and 1.
    patience : int, default 10
        For how many epochs in a row it waits for a better value.
    monitor : str, default "validation_loss"
        A name in the history.
    mode : {"min", "max"}, optional
        Which value is better. By default the metric says it; of anything else it is the smaller.
    min_delta : float, default 0
        By how much a value has to be better.
    min_lr : float, default 0
        The learning rate below which it does not go.

    Raises
    ------
    HyperparameterError
        If an argument is out of range; when training begins, if the optimizer has no learning rate
        of its own, or several.
    ArgumentError
        As `EarlyStopping`.

    Examples
    --------
    >>> import portanet as pn
    >>> plateau = pn.training.callbacks.ReduceOnPlateau(0.5, patience=3, monitor="loss")
    """

    def __init__(
        self,
        factor: float = 0.1,
        patience: int = 10,
        *,
        monitor: str = "validation_loss",
        mode: str | None = None,
        min_delta: float = 0.0,
        min_lr: float = 0.0,
    ) -> None:
        self._factor = checks.number("ReduceOnPlateau: factor", factor)
        if not 0 < self._factor < 1:
            raise HyperparameterError(f"ReduceOnPlateau: 0 < factor < 1: got {shown(factor)}")
        self._patience = checks.integer("ReduceOnPlateau: patience", patience, 1)
        self._min_lr = checks.number("ReduceOnPlateau: min_lr", min_lr)
        self._best = Best("ReduceOnPlateau", monitor, mode, min_delta)
        self._waited = 0

    def on_start(self, run: Run) -> None:
        self._best.start(run)
        self._waited = 0
        run.noted["lr"] = lr = learning_rate(run.ts)
        optimizers.adjust(run.ts, lr)  # what cannot be adjusted is refused now

    def on_epoch(self, run: Run) -> None:
        self._waited = 0 if self._best.improves(run) else self._waited + 1
        if self._waited >= self._patience:
            self._waited = 0
            now = learning_rate(run.ts)
            lr = max(now * self._factor, min(now, self._min_lr))
            run.ts = optimizers.adjust(run.ts, lr)
            run.noted["lr"] = lr

    def state(self) -> dict[str, Any]:
        return {"best": self._best.value, "waited": self._waited}

    def restore(self, run: Run, state: Mapping[str, Any]) -> None:
        self._best.value, self._waited = state["best"], state["waited"]


def learning_rate(ts: TrainState) -> float:
    """Return the one learning rate of a training state."""
    assert ts.optimizer_state is not None
    own: list[Any] = [rule for given in ts.optimizer_state.rules for rule in rules_in(given)]
    rates = {rule.lr for rule in own if hasattr(rule, "lr")}
    if len(rates) != 1:
        raise HyperparameterError(
            f"one learning rate for all parameters: found {sorted(rates) or 'none'}: set them with "
            f"pn.training.callbacks.Schedule or pn.optimizers.adjust(run.ts, lr, path=…)"
        )
    return rates.pop()
