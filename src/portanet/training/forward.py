"""A model run forward, by programs that are recorded once for all calls."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

from portanet import trees
from portanet.data.batch import taken_apart
from portanet.errors import ArgumentError, shown
from portanet.interface import backend_of, is_array
from portanet.tracing.call.jit import jit as jitted
from portanet.training.advice import REFUSALS, raise_with_advice
from portanet.training.objective import PREDICTION, Objective, pair_of


def forward(model: Any, jit: bool | None) -> Callable[..., Any]:
    """Return a function of an input, parameters and states: the output of a model."""
    return _made(_output, model, jit)


def forward_with_loss(objective: Objective, model: Any, jit: bool | None) -> Callable[..., Any]:
    """Return a function of parameters, states and a batch: the loss and its statistics.

    Where the objective predicts, the statistics have the prediction.
    """
    return _made(_loss, objective, model, jit)


def _made(make: Callable[..., Any], *args: Any) -> Any:
    """Return ``make(*args)``, the same one for equal arguments."""
    try:
        return _known(make, *args)
    except TypeError:  # a model or a loss without a hash
        return make(*args)


@lru_cache(maxsize=16)
def _known(make: Callable[..., Any], *args: Any) -> Any:
    return make(*args)


def forget() -> None:
    """Let go of all programs."""
    _known.cache_clear()


def _output(model: Any, jit: bool | None) -> Callable[..., Any]:
    def output(x: Any, ps: Any, st: Any) -> Any:
        return model(x, ps, st)[0]

    return _recorded(output, jit)


def _loss(objective: Objective, model: Any, jit: bool | None) -> Callable[..., Any]:
    def loss(ps: Any, st: Any, batch: Any) -> tuple[Any, Any]:
        value, _, stats = objective(model, ps, st, batch)
        if objective.predicts and not (isinstance(stats, Mapping) and PREDICTION in stats):
            x = pair_of(taken_apart(batch)[0])[0]
            numbers = stats if isinstance(stats, Mapping) else {}
            stats = {**numbers, PREDICTION: _predicted(model, x, ps, st)}
        return value, stats

    return _recorded(loss, jit)


def _predicted(model: Any, x: Any, ps: Any, st: Any) -> Any:
    try:
        return model(x, ps, st)[0]
    except Exception as error:
        error.add_note(
            "the statistics of the loss have no 'prediction' for the metrics, so the model was "
            "called with the first entry of the batch: return {'prediction': y} third, and "
            "'target' where that is not the second entry of the batch"
        )
        raise


def _recorded(function: Callable[..., Any], jit: bool | None) -> Callable[..., Any]:
    """Return a function of trees that is recorded unless its library takes seconds for that."""
    if not isinstance(jit, bool | None):
        raise ArgumentError(f"jit is True, False or None: got {shown(jit)}")
    if jit is False:
        return function
    fast = jitted(function)

    def run(*args: Any) -> Any:
        backend = backend_of(next(filter(is_array, trees.leaves(args)), None))
        if not jit and (backend.jit == "none" or backend.compiles_slowly):
            return function(*args)
        try:
            return fast(*args)
        except REFUSALS as error:
            raise_with_advice(error, "With jit=False it is not recorded")

    return run
