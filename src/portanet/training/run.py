"""A training run in progress: what callbacks see and change."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from portanet.errors import ArgumentError
from portanet.plots.curves import VALIDATION
from portanet.training.batches import Batches
from portanet.training.history import History
from portanet.training.meter import Meter
from portanet.training.metrics.base import Metric
from portanet.training.state import TrainState


class Run:
    """What `portanet.training.fit` hands to its callbacks.

    Attributes
    ----------
    ts : TrainState
        After the last step. A callback may put another one there.
    history : History
        What came out of the epochs so far.
    epoch : int
        The number of the running epoch, or of the one that has just ended, from 1.
    epochs : int
        How many there shall be.
    batch : int
        How many batches of the running epoch have been used; 0 between two epochs.
    batches : int
        How many it has, 0 if that is not known.
    value : array or None
        The loss of the last step.
    data : any
        The batch of the last step.
    loss : callable
        The loss as `portanet.training.train_step` gets it.
    interrupted : bool
        Whether somebody has pressed Ctrl-C.
    leads : bool
        Whether this is the first of several workers, or the only one: who writes files.
    together : bool
        Whether there are several.
    noted : dict of str to float
        What callbacks add to the history of each epoch, such as learning rates.
    """

    def __init__(
        self,
        ts: TrainState,
        loss: Any,
        epochs: int,
        metrics: Mapping[str, Metric],
        source: Batches,
        held_out: Batches | None,
        leads: bool = True,
        together: bool = False,
    ) -> None:
        self.ts = ts
        self.loss = loss
        self.epochs = epochs
        self.history = History()
        self.epoch = 1
        self.batch = 0
        self.value: Any = None
        self.data: Any = None
        self.interrupted = False
        self.leads = leads
        self.together = together
        self.noted: dict[str, float] = {}
        self.meter = Meter(metrics, together)
        self.callbacks: list[Any] = []
        self._source = source
        self._metrics = metrics
        self._held_out = held_out

    @property
    def batches(self) -> int:
        return len(self._source)

    def stop(self, reason: str) -> None:
        """End the training after this step, or after this epoch if it has ended."""
        self.history.stopped = reason

    def larger_is_better(self, monitor: str, owner: str) -> bool:
        """Whether what is called `monitor` in the history should rise.

        Raises
        ------
        ArgumentError
            If it is measured in validation and there is none, or of a metric that cannot say.
        """
        if monitor.startswith(VALIDATION) and self._held_out is None:
            raise ArgumentError(f"{owner}: {monitor!r} needs validation data: fit(validation=…)")
        metric = self._metrics.get(monitor.removeprefix(VALIDATION))
        better = False if metric is None else metric.larger_is_better
        if better is None:
            raise ArgumentError(
                f"{owner}: monitor is a number of which the larger or the smaller is better: "
                f"{monitor!r} is neither"
            )
        return better

    def monitored(self, monitor: str, owner: str) -> float:
        """Return what the last epoch has measured under a name."""
        last = self.history.last
        if monitor not in last:
            raise ArgumentError(f"{owner}: monitor is one of {list(last)}: got {monitor!r}")
        return float(last[monitor])

    def state(self) -> dict[str, Any]:
        """Return where the run is, but for the training state and the callbacks."""
        return {
            "epoch": self.epoch if self.batch else self.history.epochs + 1,
            "batch": self.batch,
            "source": self._source.state(self.batch),
            "held_out": None if self._held_out is None else self._held_out.state(0),
            "meter": self.meter.state(),
            "noted": self.noted,
            "history": self.history.rows,
        }

    def restore(self, ts: TrainState, state: Mapping[str, Any]) -> None:
        """Go on from where `state` was asked for."""
        if (state["held_out"] is None) is not (self._held_out is None):
            raise ArgumentError(
                "a run is taken up with validation data if it had any, else without"
            )
        self._source.restore(state["source"])
        if self._held_out is not None:
            self._held_out.restore(state["held_out"])
        self.ts = ts
        self.epoch, self.batch = state["epoch"], state["batch"]
        self.history.rows[:] = state["history"]
        self.meter.restore(state["meter"])
        self.noted = dict(state["noted"])
