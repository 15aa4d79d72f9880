"""Runs in files, from which they go on as if they had never stopped."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import Any

import numpy as np

from portanet import checks
from portanet.errors import ArgumentError, HyperparameterError, shown
from portanet.io import safetensors
from portanet.training.callbacks.base import Callback
from portanet.training.callbacks.best import Best
from portanet.training.callbacks.writers import checked_path
from portanet.training.run import Run
from portanet.training.state import TrainState

_NOTE = "portanet.training"
"""The entry of a file's metadata with what is no array."""


class Checkpoint(Callback):
    """Writes a whole run to a file of `portanet.io.safetensors`, and takes it up again.

    The file has the training state, the history, the position of the loader, what was measured so
    far in the running epoch and the states of the other callbacks. It is replaced at once, so that
    a run that is killed at any instant leaves a whole one. It is written after the other callbacks,
    and when the training is stopped in an epoch.

    Parameters
    ----------
    path : str or path
    every : int, default 1
        How many epochs there are between two files.
    every_steps : int, optional
        Writes after so many steps too, in the middle of an epoch.
    resume : bool, default False
        Whether a run begins where the file says, if there is one: the same script, started again,
        ends with the same bits as one that was never stopped. The training state that it begins
        with gives the model and the structure alone.
    monitor : str, optional
        A name in the history: the file is written only after an epoch that is better than all
        before. Not with `resume`.
    mode : {"min", "max"}, optional
        Which value is better. By default the metric says it; of anything else it is the smaller.

    Raises
    ------
    HyperparameterError
        If an argument is out of range.
    BackendNotAvailableError
        In training, if the library `safetensors` is not installed.
    ArgumentError, ParameterTreeError, ShapeError, DTypeError
        In training, if the file is of another run: another model, optimizer, loader or other
        callbacks.

    Notes
    -----
    A source of batches that is no `portanet.data.DataLoader` has no position: the batches that were
    used of the running epoch are skipped, which is right where each epoch has the same order.

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np
    >>> import portanet as pn
    >>> model, x = pn.Dense(1, 1), np.linspace(-1, 1, 8, dtype=np.float32)[:, None]
    >>> def train(path, epochs):
    ...     loader = pn.data.DataLoader((x, 2 * x), 4, shuffle=True, rng=0)
    ...     ts = pn.training.TrainState(model, *pn.setup(0, model), pn.optimizers.Adam(0.1))
    ...     saving = pn.training.callbacks.Checkpoint(path, resume=True)
    ...     return pn.training.fit(
    ...         ts, pn.MSELoss(), loader, epochs=epochs, callbacks=[saving], progress=False
    ...     )
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = train(f"{folder}/run.safetensors", 3)
    ...     ts, history = train(f"{folder}/run.safetensors", 5)
    >>> ts.step, history.epochs
    (10, 5)
    """

    runs_last = True

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        every: int = 1,
        every_steps: int | None = None,
        resume: bool = False,
        monitor: str | None = None,
        mode: str | None = None,
    ) -> None:
        self._every = checks.integer("Checkpoint: every", every, 1)
        self._every_steps = every_steps
        if every_steps is not None:
            self._every_steps = checks.integer("Checkpoint: every_steps", every_steps, 1)
        self._resume = checks.flag_of("Checkpoint: resume", resume)
        if monitor is not None and (resume or every_steps is not None):
            raise HyperparameterError(
                "Checkpoint: monitor keeps the best epoch, resume and every_steps need the last "
                "one: take two callbacks with two files"
            )
        self.path = checked_path("Checkpoint", path)
        self._best = None if monitor is None else Best("Checkpoint", monitor, mode)

    def on_start(self, run: Run) -> None:
        if self._best is not None:
            self._best.start(run)
        if self._resume and os.path.exists(self.path):
            read(self.path, run)

    def on_step(self, run: Run) -> None:
        due = self._every_steps is not None and run.ts.step % self._every_steps == 0
        if due or (run.history.stopped is not None and self._best is None):
            write(self.path, run)

    def on_epoch(self, run: Run) -> None:
        if self._best is not None:
            wanted = self._best.improves(run)
        else:
            over = run.epoch == run.epochs or run.history.stopped is not None
            wanted = over or run.epoch % self._every == 0
        if wanted:
            write(self.path, run)

    def on_end(self, run: Run) -> None:
        if run.interrupted and self._best is None:
            write(self.path, run)

    def state(self) -> dict[str, Any]:
        return {} if self._best is None else {"best": self._best.value}

    def restore(self, run: Run, state: Mapping[str, Any]) -> None:
        if self._best is not None:
            self._best.value = state["best"]


def write(path: str, run: Run) -> None:
    """Write a run to a file."""
    state = run.state()
    totals = state["meter"].pop("totals")
    kept = [(type(c).__name__, c.state()) for c in run.callbacks]
    kept = [(name, own) for name, own in kept if own]
    tree: dict[str, Any] = {"ts": run.ts, "totals": totals, "callbacks": {}}
    for i, (_, own) in enumerate(kept):
        parts = {name: own.pop(name) for name, x in list(own.items()) if isinstance(x, TrainState)}
        tree["callbacks"][str(i)] = parts
    notes = {
        "run": state,
        "callbacks": kept,
        "parts": {i: list(parts) for i, parts in tree["callbacks"].items()},
        "totals": {
            name: {part: (x.dtype.name, x.shape) for part, x in total.items()}
            for name, total in totals.items()
        },
    }
    if run.leads:
        safetensors.save(path, tree, {_NOTE: json.dumps(notes, default=_plain)})


def read(path: str, run: Run) -> None:
    """Let a run go on from a file."""
    text = safetensors.metadata(path).get(_NOTE)
    if text is None:
        raise ArgumentError(f"{path!r} is no file of a Checkpoint: remove it or take another name")
    notes = json.loads(text, object_hook=_array)
    owners = [c for c in run.callbacks if c.state()]
    names = [type(c).__name__ for c in owners]
    if names != [name for name, _ in notes["callbacks"]]:
        raise ArgumentError(
            f"{path!r} is of a run with the callbacks {[name for name, _ in notes['callbacks']]}, "
            f"this one has {names}"
        )
    like = {
        "ts": run.ts,
        "totals": {
            name: {part: np.empty(shape, dtype) for part, (dtype, shape) in total.items()}
            for name, total in notes["totals"].items()
        },
        "callbacks": {i: {name: run.ts for name in parts} for i, parts in notes["parts"].items()},
    }
    tree = safetensors.load(path, like=like)
    state = notes["run"]
    state["meter"]["totals"] = tree["totals"]
    run.restore(tree["ts"], state)
    for i, (callback, (_, own)) in enumerate(zip(owners, notes["callbacks"], strict=True)):
        callback.restore(run, {**own, **tree["callbacks"][str(i)]})


def _plain(x: Any) -> Any:
    """Return what JSON can say of an array."""
    if isinstance(x, np.ndarray | np.generic):
        return {"array": x.tolist(), "dtype": x.dtype.name}
    raise ArgumentError(f"the state of a callback is what JSON can say: got {shown(x)}")


def _array(entry: dict[str, Any]) -> Any:
    if set(entry) != {"array", "dtype"}:
        return entry
    return np.asarray(entry["array"], entry["dtype"])[()]
