"""The first number that is none."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from portanet.errors import NonFiniteError
from portanet.inspection.debug import debug
from portanet.training.callbacks.base import Callback
from portanet.training.run import Run
from portanet.training.state import TrainState
from portanet.training.steps.step import compute_gradients


class NaNGuard(Callback):
    """Stops the training at the first loss that is NaN or infinite, and says where it comes from.

    The step is taken once more with `portanet.debug`, which names the layer and the operation; if
    its parameters were NaN already, then the step before. The error's attribute `ts` is the last
    training state whose parameters were finite.

    Notes
    -----
    It looks at the loss of each step, for which an accelerator has to end it first, and it keeps
    two training states besides the one that is trained.

    Examples
    --------
    >>> import numpy as np
    >>> import portanet as pn
    >>> model = pn.Chain(pn.Dense(1, 1), np.sqrt)
    >>> ps = {"layer_1": {"weight": np.asarray([[1.0]]), "bias": np.asarray([0.0])}, "layer_2": {}}
    >>> ts = pn.training.TrainState(model, ps, {"layer_1": {}, "layer_2": {}}, pn.optimizers.SGD())
    >>> data, guard = (np.asarray([[-1.0]]), np.asarray([[0.0]])), pn.training.callbacks.NaNGuard()
    >>> with np.errstate(invalid="ignore"):
    ...     pn.training.fit(ts, pn.MSELoss(), data, callbacks=[guard], progress=False)
    Traceback (most recent call last):
        ...
    portanet.errors.NonFiniteError: model.layer_2: sqrt gives nan in 1 of 1 entries, of (1, 1) ...
    """

    def on_start(self, run: Run) -> None:
        self._steps: list[tuple[TrainState, Any]] = []
        self._now = run.ts

    def on_step(self, run: Run) -> None:
        before, self._now = self._now, run.ts
        self._steps = [*self._steps[-1:], (before, run.data)]
        value = complex(run.value)
        if math.isfinite(value.real) and math.isfinite(value.imag):
            return
        for ts, batch in self._steps:
            run.ts = ts
            with np.errstate(all="ignore"):
                _look_for_cause(run, ts, batch)
        raise NonFiniteError(
            f"the loss of step {run.ts.step + 1} is {float(run.value)}, and every operation of the "
            f"model is finite: it comes from the loss function itself, or from the optimizer"
        )

    def on_epoch(self, run: Run) -> None:
        self._now = run.ts  # another callback may have put it there


def _look_for_cause(run: Run, ts: TrainState, batch: Any) -> None:
    """Raise `NonFiniteError` where an operation of a step gives what is no finite number."""
    try:
        compute_gradients(run.loss, batch, ts.replaced(model=debug(ts.model)))
    except NonFiniteError as error:
        error.message = f"{error.message}: in step {ts.step + 1} of the training"
        raise
