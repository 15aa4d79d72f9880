"""Runs in files, from which they go on as if they had never stopped."""

from __future__ import annotations

import os
from typing import Any

import numpy as np

from portanet import checks
from portanet.errors import ArgumentError
from portanet.io import Checkpointer
from portanet.io.matching import matched
from portanet.training.callbacks.base import Callback
from portanet.training.run import Run
from portanet.training.state import TrainState


class Checkpoint(Callback):
    """Writes a whole run to a `portanet.io.Checkpointer`, and takes it up again.

    A checkpoint has the training state, the history, the position of the loader, what was measured
    so far in the running epoch and the states of the other callbacks. It is written after them, and
    when the training is stopped in an epoch. After an epoch its metrics are the numbers of the
    history, of which the `Checkpointer` keeps the best.

    Parameters
    ----------
    checkpointer : Checkpointer, str or path
        A folder alone is that of a `Checkpointer` which keeps the last three.
    every : int, default 1
        How many epochs there are between two checkpoints.
    every_steps : int, optional
        Writes after so many steps too, in the middle of an epoch.
    resume : bool, default False
        Whether a run begins where the last checkpoint says, if there is one: the same script,
        started again, ends with the same bits as one that was never stopped. The training state
        that it begins with gives the model and the structure alone, and its device.

    Raises
    ------
    HyperparameterError, ArgumentError
        If an argument is out of range or of the wrong kind.
    CheckpointError
        In training, if the last checkpoint is damaged or of another version. No other one is taken
        in its place.
    ArgumentError, ParameterTreeError, ShapeError, DTypeError, HyperparameterError
        In training, if it is of another run: another model, optimizer, loader or other callbacks;
        or if the run begins before it without `resume`.
    StorageError
        In training, if a checkpoint cannot be written: those before are as they were.
    BackendNotAvailableError
        In training, if the library of the files is not installed.

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
    >>> def train(folder, epochs):
    ...     loader = pn.data.DataLoader((x, 2 * x), 4, shuffle=True, rng=0)
    ...     ts = pn.training.TrainState(model, *pn.setup(0, model), pn.optimizers.Adam(0.1))
    ...     ckpt = pn.io.Checkpointer(folder, keep=2, best="loss", mode="min")
    ...     saving = pn.training.callbacks.Checkpoint(ckpt, resume=True)
    ...     return pn.training.fit(
    ...         ts, pn.MSELoss(), loader, epochs=epochs, callbacks=[saving], progress=False
    ...     )
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = train(folder, 3)
    ...     ts, history = train(folder, 5)
    >>> ts.step, history.epochs
    (10, 5)
    """

    runs_last = True

    def __init__(
        self,
        checkpointer: Checkpointer | str | os.PathLike[str],
        *,
        every: int = 1,
        every_steps: int | None = None,
        resume: bool = False,
    ) -> None:
        self._every = checks.integer("Checkpoint: every", every, 1)
        self._every_steps = every_steps
        if every_steps is not None:
            self._every_steps = checks.integer("Checkpoint: every_steps", every_steps, 1)
        self._resume = checks.flag_of("Checkpoint: resume", resume)
        own = isinstance(checkpointer, Checkpointer)
        self.checkpointer = checkpointer if own else Checkpointer(checkpointer)

    def on_start(self, run: Run) -> None:
        checkpointer = self.checkpointer
        if checkpointer.metric is not None:
            run.larger_is_better(checkpointer.metric, "Checkpoint")
        latest = checkpointer.latest
        if self._resume and latest is not None:
            self._take_up(run, latest)
        elif latest is not None and run.ts.step < latest:
            raise ArgumentError(
                f"Checkpoint: step >= {latest}, the last one in {checkpointer.folder!r}: the run "
                f"begins at {run.ts.step}: resume=True takes that one up; else take another folder"
            )

    def on_step(self, run: Run) -> None:
        due = self._every_steps is not None and run.ts.step % self._every_steps == 0
        if due or run.history.stopped is not None:
            self._write(run)

    def on_epoch(self, run: Run) -> None:
        over = run.epoch == run.epochs or run.history.stopped is not None
        if over or run.epoch % self._every == 0:
            self._write(run)

    def on_end(self, run: Run) -> None:
        if run.interrupted:
            self._write(run)

    def _write(self, run: Run) -> None:
        kept = []
        for callback in run.callbacks:
            own = callback.state()
            states = {name: x for name, x in own.items() if isinstance(x, TrainState)}
            rest = {name: x for name, x in own.items() if name not in states}
            if own:
                kept.append({"of": type(callback).__name__, "states": states, "rest": rest})
        tree = {"ts": run.ts, "run": run.state(), "callbacks": kept}
        measured = None
        if not run.batch and run.history.epochs:
            last = run.history.last
            measured = {name: x for name, x in last.items() if np.ndim(x) == 0}
        if run.leads:
            self.checkpointer.save(tree, step=run.ts.step, metrics=measured)

    def _take_up(self, run: Run, step: int) -> None:
        where, found = self.checkpointer.path(step), self.checkpointer.restore(step=step)
        if not isinstance(found, dict) or set(found) != {"ts", "run", "callbacks"}:
            raise ArgumentError(f"{where!r} is no checkpoint of fit: take another folder")
        owners = [callback for callback in run.callbacks if callback.state()]
        names, saved = [type(c).__name__ for c in owners], [own["of"] for own in found["callbacks"]]
        if names != saved:
            raise ArgumentError(
                f"{where!r} is of a run with the callbacks {saved}, this one has {names}"
            )
        likes = [{name: run.ts for name in own["states"]} for own in found["callbacks"]]
        tree: dict[str, Any] = matched(
            where,
            {"ts": found["ts"], "callbacks": [own["states"] for own in found["callbacks"]]},
            {"ts": run.ts, "callbacks": likes},
        )
        run.restore(tree["ts"], found["run"])
        rows = zip(owners, found["callbacks"], tree["callbacks"], strict=True)
        kept = {id(owner): {**own["rest"], **states} for owner, own, states in rows}
        for callback in run.callbacks:
            callback.restore(run, kept.get(id(callback), {}))
