"""A model run forward, by programs that are recorded once for all calls."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

from portanet import trees
from portanet.data.batch import taken_apart
from portanet.errors import ArgumentError, shown
from portanet.interface import backend_of, is_array
from portanet.training.advice import REFUSALS, raise_with_advice
from portanet.training.known.recorded import Recorded
from portanet.training.objective import PREDICTION, Objective, pair_of


def forward(model: Any, jit: bool | None) -> Callable[..., Any]:
    """Return a function of an input, parameters and states: the output of a model."""
    return _recorded("predict", _output, model, (), jit)


def forward_with_loss(objective: Objective, model: Any, jit: bool | None) -> Callable[..., Any]:
    """Return a function of parameters, states and a batch: the loss and its statistics.

    Where the objective predicts, the statistics have the prediction.
    """
    return _recorded("evaluate", _loss, objective, (model,), jit)


def _output(model: Any) -> Callable[..., Any]:
    def output(x: Any, ps: Any, st: Any) -> Any:
        return model(x, ps, st)[0]

    return output


def _loss(objective: Objective, model: Any) -> Callable[..., Any]:
    def loss(ps: Any, st: Any, batch: Any) -> tuple[Any, Any]:
        value, _, stats = objective(model, ps, st, batch)
        if objective.predicts and not (isinstance(stats, Mapping) and PREDICTION in stats):
            x = pair_of(taken_apart(batch)[0])[0]
            numbers = stats if isinstance(stats, Mapping) else {}
            stats = {**numbers, PREDICTION: _predicted(model, x, ps, st)}
        return value, stats

    return loss


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


def _recorded(
    title: str, make: Callable[..., Any], first: Any, others: tuple[Any, ...], jit: bool | None
) -> Callable[..., Any]:
    """Return ``make(first, *others)``, recorded unless its library takes seconds for that."""
    if not isinstance(jit, bool | None):
        raise ArgumentError(f"jit is True, False or None: got {shown(jit)}")
    function = make(first, *others)
    if jit is False:
        return function
    fast = cache(lambda: Recorded(title, make, first, others, *others, asked_for=jit is True))

    def run(*args: Any) -> Any:
        backend = backend_of(next(filter(is_array, trees.leaves(args)), None))
        if backend.jit == "none" or (backend.compiles_slowly and not jit):
            return function(*args)
        try:
            return fast()(*args)
        except REFUSALS as error:
            raise_with_advice(error, "With jit=False it is not recorded")

    return run
