"""The end of a training that gets no better."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from portanet import checks
from portanet.training.callbacks.base import Callback
from portanet.training.callbacks.best import Best
from portanet.training.run import Run
from portanet.training.state import TrainState


class EarlyStopping(Callback):
    """Stops the training when nothing gets better, and goes back to the best epoch.

    Parameters
    ----------
    patience : int, default 5
        For how many epochs in a row it waits for a better value.
    monitor : str, default "validation_loss"
        A name in the history.
    mode : {"min", "max"}, optional
        Which value is better. By default the metric says it; of anything else it is the smaller.
    min_delta : float, default 0
        By how much a value has to be better.
    restore_best : bool, default True
        Whether `fit` returns the training state after the best epoch, unless it was interrupted.

    Attributes
    ----------
    best_epoch : int or None
        The number of the best epoch so far, from 1.

    Raises
    ------
    HyperparameterError
        If an argument is out of range.
    ArgumentError
        When training begins, if `monitor` needs validation data and there is none; after the first
        epoch, if the history has no such name.

    Examples
    --------
    >>> import numpy as np
    >>> import portanet as pn
    >>> model, x = pn.Dense(1, 1), np.ones((4, 1), np.float32)
    >>> ts = pn.training.TrainState(model, *pn.setup(0, model), pn.optimizers.SGD(0.1))
    >>> stopping = pn.training.callbacks.EarlyStopping(patience=3, monitor="loss", min_delta=0.1)
    >>> ts, history = pn.training.fit(
    ...     ts, pn.MSELoss(), (x, x), epochs=100, callbacks=[stopping], progress=False
    ... )
    >>> history.stopped, history.epochs == stopping.best_epoch + 3
    ('loss has not improved for 3 epochs', True)
    """

    def __init__(
        self,
        patience: int = 5,
        *,
        monitor: str = "validation_loss",
        mode: str | None = None,
        min_delta: float = 0.0,
        restore_best: bool = True,
    ) -> None:
        self.patience = checks.integer("EarlyStopping: patience", patience, 1)
        self.monitor = monitor
        self.restore_best = checks.flag_of("EarlyStopping: restore_best", restore_best)
        self.best_epoch: int | None = None
        self._best = Best("EarlyStopping", monitor, mode, min_delta)
        self._waited = 0
        self._ts: TrainState | None = None

    def on_start(self, run: Run) -> None:
        self._best.start(run)
        self.best_epoch, self._waited, self._ts = None, 0, None

    def on_epoch(self, run: Run) -> None:
        if self._best.improves(run):
            self.best_epoch, self._waited = run.epoch, 0
            self._ts = run.ts if self.restore_best else None
        else:
            self._waited += 1
        self._stop_or_go_on(run)

    def _stop_or_go_on(self, run: Run) -> None:
        if self._waited >= self.patience:
            run.stop(f"{self.monitor} has not improved for {self.patience} epochs")

    def on_end(self, run: Run) -> None:
        if self._ts is not None and not run.interrupted:
            run.ts = self._ts

    def state(self) -> dict[str, Any]:
        return {
            "best": self._best.value,
            "best_epoch": self.best_epoch,
            "waited": self._waited,
            "ts": self._ts,
        }

    def restore(self, run: Run, state: Mapping[str, Any]) -> None:
        self._best.value, self.best_epoch = state["best"], state["best_epoch"]
        self._waited, self._ts = state["waited"], state["ts"]
        self._stop_or_go_on(run)
