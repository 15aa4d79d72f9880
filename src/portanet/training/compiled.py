"""Training steps as recorded programs."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Any

from portanet import optimizers, trees
from portanet.backends import backend_of, is_array
from portanet.optimizers import OptimizerState
from portanet.tracing.anew import warn_of_anew
from portanet.tracing.jit import Jitted, jit
from portanet.training.flat import Flat, Layout
from portanet.training.state import TrainState

_MOST_STEPS = 64
_MANY = 8
_steps: OrderedDict[tuple[Any, ...], tuple[Sequence[Any], Jitted]] = OrderedDict()
_lock = threading.Lock()


def _step(make: Callable[..., Callable[..., Any]], *fixed: Any) -> Jitted:
    """Return the jitted step that `make` makes, the same for equal `fixed` objects."""
    # Holding what is fixed keeps its ids from being used again.
    entry = _steps.get((make, *map(id, fixed)))
    return _equal_step(make, fixed) if entry is None else entry[1]


def _equal_step(make: Callable[..., Callable[..., Any]], fixed: tuple[Any, ...]) -> Jitted:
    with _lock:
        same = (x for x in _steps.items() if x[0][0] is make and x[1][0] == fixed)
        run = next((entry[1] for _, entry in same), None)
        if run is None:
            _warn_of_many(fixed[1])
            run = jit(make(*fixed))
        _steps[(make, *map(id, fixed))] = fixed, run
        if len(_steps) > _MOST_STEPS:
            _steps.popitem(last=False)
    return run


def _warn_of_many(loss: Any) -> None:
    """Warn when many steps with one loss, or the same code of one, were taken only once."""
    code = getattr(loss, "__code__", None)
    known = [fixed[1] for fixed, run in _steps.values() if not run.cache_info().hits]
    new = code is not None and loss not in known
    alike = [x for x in known if x is loss or (new and getattr(x, "__code__", None) is code)]
    if len(alike) == _MANY:
        reason = (
            "the loss is another function each time: define it once, outside of the loop"
            if new
            else "the model or the hyperparameters of the optimizer are others each time"
        )
        warn_of_anew("train_step(jit=True)", reason)


def can_be_compiled(ts: TrainState) -> bool:
    """Whether the library of a training state has something faster than running the step."""
    if "flat" in ts.__dict__:
        return True
    arrays = filter(is_array, trees.leaves((ts.parameters, ts.states)))
    return backend_of(next(arrays, None)).jit != "none"


def compiled_step(
    gradients: Callable[..., Any], loss: Any, data: Any, ts: TrainState
) -> tuple[Any, Any, TrainState]:
    """Take one step of training by replay; ``gradients(loss, model, …)`` computes them."""
    flat = Flat.of(ts)
    if flat is None:
        return _structured_step(gradients, loss, data, ts)
    layout = flat.layout
    run = _step(_flat, gradients, loss, ts.model, layout)
    value, stats, states, vector, rule_state = run(flat.vector, ts.states, flat.rule_state, data)
    return value, stats, Flat(layout, vector, rule_state).after(ts, states)


def _flat(gradients: Any, loss: Any, model: Any, layout: Layout) -> Callable[..., Any]:
    def step(vector: Any, states: Any, rule_state: Any, data: Any) -> Any:
        parameters = layout.parameters(vector)
        grads, value, states, stats = gradients(loss, model, parameters, states, data)
        rule_state, change = layout.rule.apply(rule_state, vector, layout.ravel(grads))
        return value, stats, states, vector - change, rule_state

    return step


def _structured_step(
    gradients: Any, loss: Any, data: Any, ts: TrainState
) -> tuple[Any, Any, TrainState]:
    state = ts.optimizer_state
    assert state is not None
    fixed = gradients, loss, ts.model, state.structure, state.rules, state.frozen
    run = _step(_structured, *fixed)
    value, stats, parameters, states, rule_states = run(
        ts.parameters, ts.states, state.states, data
    )
    state = OptimizerState(state.structure, state.rules, rule_states, state.frozen)
    after = ts.replaced(
        parameters=parameters, states=states, optimizer_state=state, step=ts.step + 1
    )
    return value, stats, after


def _structured(
    gradients: Any, loss: Any, model: Any, structure: Any, rules: Any, frozen: Any
) -> Callable[..., Any]:
    def step(parameters: Any, states: Any, rule_states: Any, data: Any) -> Any:
        grads, value, states, stats = gradients(loss, model, parameters, states, data)
        state = OptimizerState(structure, rules, rule_states, frozen)
        state, parameters = optimizers.update(state, parameters, grads)
        return value, stats, parameters, states, state.states

    return step
