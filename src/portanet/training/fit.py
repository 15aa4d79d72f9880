"""The loop of training: epochs, validation, callbacks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from portanet import checks, trees
from portanet.distributed import DistributedLoader
from portanet.distributed.group import current
from portanet.errors import ArgumentError, CallbackError, PortanetError, TracedValueError
from portanet.interface import backend_of, is_array
from portanet.losses import Loss
from portanet.plots.curves import VALIDATION
from portanet.training.agreement import check_start, row_of_first, stop_alike
from portanet.training.batches import Batches
from portanet.training.callbacks.base import Callback, as_callbacks
from portanet.training.evaluate import Evaluator, place_of
from portanet.training.history import History
from portanet.training.interrupts import Interrupts
from portanet.training.metrics.base import Metric
from portanet.training.metrics.naming import named
from portanet.training.objective import Objective
from portanet.training.portions import Portions
from portanet.training.progress import Progress
from portanet.training.run import Run
from portanet.training.state import TrainState, check_state
from portanet.training.steps.gradients import check_loss
from portanet.training.steps.step import train_step
from portanet.training.steps.together import is_together


def fit(
    ts: TrainState,
    loss: Any,
    data: Any,
    *,
    epochs: int = 1,
    steps_per_epoch: int | None = None,
    validation: Any = None,
    metrics: Any = (),
    callbacks: Any = (),
    progress: bool = True,
    jit: bool | None = None,
    ad: Any = None,
) -> tuple[TrainState, History]:
    """Train a model for some epochs.

    Each batch is a step of `train_step`. After each epoch the model is evaluated in test mode on
    the validation data.

    Parameters
    ----------
    ts : TrainState
        Where the training begins. It stays as it is.
    loss : Loss or callable
        As for `train_step`: a loss object, for which a batch is a pair ``(x, target)``, or a
        function ``loss(model, ps, st, batch)`` that returns ``(value, st, stats)``. The numbers
        among its statistics get into the history.
    data : DataLoader, tuple of arrays, or iterable of batches
        A `portanet.data.DataLoader`; any other iterable that can be iterated once an epoch, such as
        a list of batches or a torch ``DataLoader``; or a tuple or a dict of arrays, which is one
        batch. Batches are moved to the device of `ts`.
    epochs : int, default 1
        How often to go through the data, or through so many batches of them as the next says.
    steps_per_epoch : int, optional
        How many batches an epoch has, for data without an end, or so many that one does not wait
        for it: an epoch goes on where the last one stopped, and data that end begin again.
    validation : like `data`, optional
        What the model is evaluated on, under names that begin with ``validation_``.
    metrics : list of Metric or functions, or dict of them by name, optional
        Such as ``[pn.training.metrics.Accuracy()]``, measured in validation, and in training while
        the parameters change. There a loss that is a function has to give the prediction as an
        entry ``"prediction"`` of its statistics.
    callbacks : list of Callback, optional
        Of `portanet.training.callbacks`, or functions ``function(run)`` called after each epoch.
    progress : bool, default True
        Whether to show a bar on a terminal where `tqdm` is installed, and lines elsewhere, on
        standard error.
    jit, ad : optional
        As for `train_step`.

    Returns
    -------
    ts : TrainState
        The state after the last step, or what callbacks put in its place.
    history : History
        What came out of each epoch, by name.

    Raises
    ------
    ArgumentError, HyperparameterError
        If an argument is of the wrong kind or out of range, or there are no batches.
    TracedValueError
        If a parameter is being differentiated.
    CallbackError
        If a callback raised an error that is not of portanet's family.

    Notes
    -----
    Ctrl-C ends the training after the step that is on its way: the state so far is returned and
    ``history.stopped`` says so. Every error has the state and the history before it as its
    attributes `ts` and `history`.

    Examples
    --------
    >>> import numpy as np
    >>> import portanet as pn
    >>> x = np.linspace(-1, 1, 64, dtype=np.float32)[:, None]
    >>> loader = pn.data.DataLoader((x, 2 * x), 16, shuffle=True, rng=0)
    >>> model = pn.Dense(1, 1)
    >>> ts = pn.training.TrainState(model, *pn.setup(0, model), pn.optimizers.Adam(0.1))
    >>> ts, history = pn.training.fit(ts, pn.MSELoss(), loader, epochs=20, progress=False)
    >>> ts.step, bool(history["loss"][-1] < 1e-3)
    (80, True)
    """
    check_state(ts)
    _check_plain(ts.parameters)
    epochs = checks.integer("fit: epochs", epochs, 0)
    checks.flag_of("fit: progress", progress)
    measured, place = named(metrics), place_of(ts)
    if steps_per_epoch is None:
        source = Batches(data, place)
    else:
        steps = checks.integer("fit: steps_per_epoch", steps_per_epoch, 1)
        source = Portions(data, place, steps)
    check_loss(loss)
    objective = Objective(loss, True) if measured and isinstance(loss, Loss) else loss
    held_out = None
    if validation is not None:
        held_out = Batches(validation, place, "validation", apart=True)
    leads, together = _standing(ts)
    run = Run(ts, objective, epochs, measured, source, held_out, leads, together)
    shown_progress = [Progress()] if progress and leads else []
    called = as_callbacks([*as_callbacks(callbacks), *shown_progress])
    run.callbacks = [callback for callback in called if leads or not callback.writes]
    shared = isinstance(validation, DistributedLoader)
    evaluator = Evaluator(ts.model, loss, measured, jit, shared)
    loop = _Loop(run, source, held_out, evaluator, {"jit": jit, "ad": ad}, measured)
    try:
        loop.run_all()
    except BaseException as error:
        _keep_at_hand(error, run)
        raise
    finally:
        source.close()
        for bar in shown_progress:
            bar.close()
    return run.ts, run.history


def _check_plain(parameters: Any) -> None:
    """Refuse parameters of which somebody takes a derivative: all steps would be part of it."""
    for path, x in trees.flatten_with_paths(parameters):
        if is_array(x) and backend_of(x).is_traced(x):
            raise TracedValueError(
                f"fit: parameters are plain arrays: {path!r} is being differentiated, as those of "
                f"torch.nn.Module are: give pn.trees.map_leaves(lambda x: x.detach(), ps)"
            )


def _standing(ts: TrainState) -> tuple[bool, bool]:
    """Return whether this worker is the first, and whether there are several."""
    if not is_together(ts):
        return True, False
    engine = current()
    return engine.rank == 0, engine.workers > 1


class _Loop:
    """The loop over epochs and batches of a run."""

    def __init__(
        self,
        run: Run,
        source: Batches,
        held_out: Batches | None,
        evaluator: Evaluator,
        options: dict[str, Any],
        metrics: Mapping[str, Metric],
    ) -> None:
        self._run = run
        self._source = source
        self._held_out = held_out
        self._evaluator = evaluator
        self._options = options
        self._metrics = metrics
        self._after_step = [c for c in run.callbacks if type(c).on_step is not Callback.on_step]

    def run_all(self) -> None:
        run = self._run
        self._call("on_start", run.callbacks)
        if run.together:
            check_start(run)
        with Interrupts() as interrupts:
            try:
                while run.epoch <= run.epochs and not run.history.stopped:
                    self._epoch(interrupts)
            except KeyboardInterrupt:
                if interrupts.count > 1 or run.together:  # the others are in the midst of a step
                    raise
                run.interrupted = True
        if run.interrupted:
            run.stop("interrupted")
        self._call("on_end", run.callbacks)

    def _epoch(self, interrupts: Interrupts) -> None:
        run, options, after_step = self._run, self._options, self._after_step
        for batch in self._source:
            interrupts.waits = True
            run.value, stats, run.ts = train_step(run.loss, batch, run.ts, **options)
            run.batch, run.data = run.batch + 1, batch
            run.meter.add(run.value, stats, batch)
            if after_step:
                self._call("on_step", after_step)
            interrupts.waits = False
            if interrupts.count:
                raise KeyboardInterrupt
            if run.history.stopped:
                return
        interrupts.waits = True
        row = {**run.meter.result(), **run.noted}
        interrupts.waits = False
        if self._held_out is not None:
            found = self._evaluator(run.ts, self._held_out)
            row.update({f"{VALIDATION}{name}": value for name, value in found.items()})
        self._check_measured(row)
        interrupts.waits = True
        if run.together:
            row = row_of_first(row)
        run.meter.clear()
        run.history.append(row)
        run.batch = 0
        self._call("on_epoch", run.callbacks)
        if run.together:
            stop_alike(run)
        run.epoch += 1
        interrupts.waits = False
        if interrupts.count:
            raise KeyboardInterrupt

    def _check_measured(self, row: dict[str, Any]) -> None:
        """Raise `ArgumentError` if a metric was asked for and nothing of it was measured."""
        missing = [n for n in self._metrics if n not in row and f"{VALIDATION}{n}" not in row]
        if missing:
            raise ArgumentError(
                f"{missing} are measured in validation, or where the loss returns the prediction: "
                f"give fit(validation=…), or return {{'prediction': y}} as the statistics of the "
                f"loss, and 'target' where that is not the second entry of a batch"
            )

    def _call(self, hook: str, callbacks: list[Callback]) -> None:
        for callback in callbacks:
            try:
                getattr(callback, hook)(self._run)
            except PortanetError:
                raise
            except Exception as error:
                raise CallbackError(
                    f"{hook} of the callback {callback!r} failed: {type(error).__name__}: {error}"
                ) from error


def _keep_at_hand(error: BaseException, run: Run) -> None:
    """Give an error the state and the history before it."""
    vars(error).update(ts=run.ts, history=run.history)
    error.add_note(
        f"the training state after step {run.ts.step} is the attribute ts of this error, the "
        f"history of {run.history.epochs} epochs its attribute history"
    )
