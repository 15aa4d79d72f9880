"""Which learning rates lower a loss."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from portanet import checks, optimizers
from portanet.errors import ArgumentError, HyperparameterError, shown
from portanet.training.evaluate import place_of
from portanet.training.portions import Portions
from portanet.training.state import TrainState, check_state
from portanet.training.steps.step import train_step

_MEMORY = 0.9  # of the smoothed loss, as in the common implementations of the test
_STRETCH = 0.2  # of the rates: a slope of fewer losses is noise
_DIVERGED = 4.0  # times the least smoothed loss: then the larger rates need not be tried


@dataclass(frozen=True)
class LearningRateTest:
    """What `learning_rate_test` found; `portanet.plots.learning_rate_test` draws it.

    Attributes
    ----------
    suggestion : float
        The learning rate around which the loss falls fastest: the middle of the fifth of all rates
        over which a line through the losses is steepest.
    rates, losses : array of float64, of shape (steps,)
        The learning rates that were tried, and the losses of their batches before the steps.
    smoothed : array of float64, of shape (steps,)
        The running average of the losses, without its bias towards the first.
    """

    suggestion: float
    rates: np.ndarray = field(repr=False)
    losses: np.ndarray = field(repr=False)
    smoothed: np.ndarray = field(repr=False)


def learning_rate_test(
    ts: TrainState,
    loss: Any,
    data: Any,
    *,
    lowest: float = 1e-6,
    highest: float = 1.0,
    steps: int = 100,
    jit: bool | None = None,
) -> LearningRateTest:
    """Train for a short while with a learning rate that rises, and see where the loss falls [1]_.

    Parameters
    ----------
    ts : TrainState
        Where the test begins. It stays as it is.
    loss : Loss or callable
        As for `train_step`.
    data : DataLoader, tuple of arrays, or iterable of batches
        As for `fit`; it begins again where it ends. A loader moves on.
    lowest, highest : float, default 1e-6 and 1
        The first and the last learning rate. They grow by one factor.
    steps : int, default 100
        How many are tried; fewer if the loss has risen far above its least value, or is no number.
    jit : bool, optional
        As for `train_step`.

    Returns
    -------
    LearningRateTest

    Raises
    ------
    HyperparameterError
        If ``0 < lowest < highest`` does not hold, there are less than 3 steps, or the optimizer has
        no learning rate.
    ArgumentError
        If there are no batches, or the first losses are not finite.

    References
    ----------
    .. [1] L. N. Smith, "Cyclical learning rates for training neural networks", WACV 2017.

    Examples
    --------
    >>> import numpy as np
    >>> import portanet as pn
    >>> x = np.linspace(-1, 1, 64, dtype=np.float32)[:, None]
    >>> model = pn.Chain(pn.Dense(1, 16, pn.tanh), pn.Dense(16, 1))
    >>> ts = pn.training.TrainState(model, *pn.setup(0, model), pn.optimizers.Adam())
    >>> found = pn.training.learning_rate_test(ts, pn.MSELoss(), (x, np.sin(3 * x)))
    >>> 1e-3 < found.suggestion < 1
    True
    """
    check_state(ts)
    steps = checks.integer("learning_rate_test: steps", steps, 3)
    lowest = checks.number("learning_rate_test: lowest", lowest)
    highest = checks.number("learning_rate_test: highest", highest)
    if not 0 < lowest < highest:
        raise HyperparameterError(
            f"learning_rate_test: 0 < lowest < highest: got {shown(lowest)} and {shown(highest)}"
        )
    batches = Portions(data, place_of(ts), steps)
    losses: list[float] = []
    smoothed: list[float] = []
    average = found = 0.0
    rates = np.geomspace(lowest, highest, steps)
    try:
        for rate, batch in zip(rates.tolist(), batches, strict=True):
            ts = optimizers.adjust(ts, rate)
            value, _, ts = train_step(loss, batch, ts, jit=jit)
            found = float(value)
            if not math.isfinite(found):
                break
            losses.append(found)
            average = _MEMORY * average + (1.0 - _MEMORY) * found
            smoothed.append(average / (1.0 - _MEMORY ** len(losses)))
            if smoothed[-1] > _DIVERGED * min(smoothed):
                break
    finally:
        batches.close()
    if len(losses) < 3:
        raise ArgumentError(
            f"learning_rate_test: the first 3 losses are finite: got {losses} and then {found}: "
            f"begin with a lower learning rate"
        )
    rates, values, curve = rates[: len(losses)], np.asarray(losses), np.asarray(smoothed)
    return LearningRateTest(_steepest(rates, values, int(np.argmin(curve))), rates, values, curve)


def _steepest(rates: np.ndarray, losses: np.ndarray, last: int) -> float:
    """Return the middle of the stretch before `last` over which the line of losses falls most."""
    count = max(int(_STRETCH * len(rates)), 3)
    places = np.log(rates)
    starts = range(max(last + 2 - count, 1))
    slopes = [np.polyfit(places[i : i + count], losses[i : i + count], 1)[0] for i in starts]
    best = int(np.argmin(slopes))
    return float(np.exp(np.mean(places[best : best + count])))
