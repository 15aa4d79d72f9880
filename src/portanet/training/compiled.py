"""Training steps as recorded programs."""

from __future__ import annotations

import dataclasses
from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Any

from portanet import optimizers
from portanet.optimizers import OptimizerState
from portanet.tracing.jit import Jitted, jit
from portanet.training.flat import FlatTrainState, Layout, layout_of
from portanet.training.state import TrainState

_MOST_STEPS = 64
_steps: OrderedDict[tuple[int, ...], tuple[Sequence[Any], Jitted]] = OrderedDict()


def _step(make: Callable[..., Callable[..., Any]], *fixed: Any) -> Jitted:
    """Return the jitted step that `make` makes, the same for the same `fixed` objects."""
    key = id(make), *map(id, fixed)
    entry = _steps.get(key)
    if entry is None:
        # Holding what is fixed keeps its ids from being used again.
        entry = _steps[key] = fixed, jit(make(*fixed))
        if len(_steps) > _MOST_STEPS:
            _steps.popitem(last=False)
    return entry[1]


def compiled_step(gradients: Callable[..., Any], loss: Any, data: Any, ts: TrainState) -> Any:
    """Take one step of training by replay; ``gradients(loss, model, …)`` computes them."""
    flat = getattr(ts, "flat", None)
    layout = layout_of(ts) if flat is None else ts.layout
    if layout is None:
        return _structured_step(gradients, loss, data, ts)
    vector, rule_state = layout.flatten(ts) if flat is None else flat
    run = _step(_flat, gradients, loss, ts.model, layout)
    value, stats, states, *flat = run(vector, ts.states, rule_state, data)
    return value, stats, FlatTrainState.after(ts, layout, states, flat)


def _flat(gradients: Any, loss: Any, model: Any, layout: Layout) -> Callable[..., Any]:
    def step(vector: Any, states: Any, rule_state: Any, data: Any) -> Any:
        parameters = layout.parameters(vector)
        grads, value, states, stats = gradients(loss, model, parameters, states, data)
        rule_state, change = layout.rule.apply(rule_state, vector, layout.ravel(grads))
        return value, stats, states, vector - change, rule_state

    return step


def _structured_step(gradients: Any, loss: Any, data: Any, ts: TrainState) -> Any:
    state = ts.optimizer_state
    assert state is not None
    fixed = gradients, loss, ts.model, state.structure, state.rules, state.frozen
    run = _step(_structured, *fixed)
    value, stats, parameters, states, rule_states = run(
        ts.parameters, ts.states, state.states, data
    )
    state = OptimizerState(state.structure, state.rules, rule_states, state.frozen)
    return (
        value,
        stats,
        dataclasses.replace(
            ts, parameters=parameters, states=states, optimizer_state=state, step=ts.step + 1
        ),
    )


def _structured(
    gradients: Any, loss: Any, model: Any, structure: Any, rules: Any, frozen: Any
) -> Callable[..., Any]:
    def step(parameters: Any, states: Any, rule_states: Any, data: Any) -> Any:
        grads, value, states, stats = gradients(loss, model, parameters, states, data)
        state = OptimizerState(structure, rules, rule_states, frozen)
        state, parameters = optimizers.update(state, parameters, grads)
        return value, stats, parameters, states, state.states

    return step
