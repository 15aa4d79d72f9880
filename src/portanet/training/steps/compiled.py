"""Training steps as recorded programs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import nullcontext
from typing import Any

from portanet import optimizers, trees
from portanet.data.part import BatchPart
from portanet.interface import backend_of, is_array
from portanet.optimizers import OptimizerState
from portanet.tracing.watch.surroundings import Surroundings
from portanet.training.advice import REFUSALS, raise_with_advice
from portanet.training.known.known_step import Known, Place
from portanet.training.known.known_steps import STEPS
from portanet.training.precision.loss_scale import is_scaled, overflowed, tolerant
from portanet.training.state import TrainState
from portanet.training.steps.flat import Flat
from portanet.training.steps.gradients import gradients
from portanet.training.steps.layout import Layout, Layouts
from portanet.training.steps.rules import RuleSet, divided

_DONATED = (0, 2)  # the parameters and the optimizer's state, of both kinds of step
_Result = tuple[Any, Any, TrainState]


def repeated_step(
    loss: Any, data: Any, ts: TrainState, slowly: bool, donate: bool
) -> _Result | None:
    """Take the step that led to `ts` once more, whose loss was checked then.

    None if this is another step, or if somebody has looked at the parameters of `ts`.
    """
    fields = ts.__dict__
    flat = fields.get("flat")
    if flat is None or flat.place is None or isinstance(data, BatchPart):
        return None
    if "parameters" in fields or "optimizer_state" in fields:
        return None
    place = flat.place
    known = place.step_after(loss, slowly, _DONATED if donate else ())
    if known is None:
        return None
    return _taken(known, place, ts, flat, fields["vector"], fields["rule_state"], data, donate)


def compiled_step(
    loss: Any, data: Any, ts: TrainState, slowly: bool, donate: bool
) -> _Result | None:
    """Take one step of training by replay, None where it runs better as it is.

    `slowly`: also where recording is a matter of seconds. `donate`: results may take the memory
    of the parameters and of the optimizer.
    """
    fields = ts.__dict__
    flat = fields.get("flat")
    if flat is None or flat.place is None:
        if flat is not None and not slowly:  # its last step ran as it is
            return None
        arrays = filter(is_array, trees.leaves((ts.parameters, ts.states)))
        backend = backend_of(next(arrays, None))
        if backend.jit == "none" or (backend.compiles_slowly and not slowly):
            return None
        if backend.differentiates_itself:  # its compiler does better without vectors
            return _structured_step(loss, data, ts, slowly, donate)
    found = Flat.of(ts)
    if found is None:
        return _structured_step(loss, data, ts, slowly, donate)
    flat, vector, rule_state = found
    place, donated = flat.place, _DONATED if donate else ()
    known = None if place is None else place.step_after(loss, slowly, donated)
    if known is None:
        model, layout = ts.model, flat.layout
        place = STEPS.find(_flat, loss, (model, layout.rule), slowly, donated, model, layout)
        known = None if place is None else place.known
    if place is None or known is None:
        return None
    return _taken(known, place, ts, flat, vector, rule_state, data, donate)


def _taken(
    known: Known,
    place: Place,
    ts: TrainState,
    flat: Flat,
    vector: Any,
    rule_state: Any,
    data: Any,
    donate: bool,
) -> _Result:
    """Take a step that is known."""
    fields = ts.__dict__
    args = vector, fields["states"], rule_state, flat.numbers, data
    value, stats, states, vector, rule_state = recorded_result(known, place.surroundings, args)
    if donate and "flat" in fields:
        ts.end()
    return value, stats, flat.after(fields, states, vector, rule_state, place)


END: Any = object()


def replayed_steps(
    loss: Any, batches: Iterator[Any], ts: TrainState, values: list[Any], slowly: bool, donate: bool
) -> tuple[TrainState, Any]:
    """Take further steps as long as each is the one that was taken last.

    Adds the losses to `values`; returns the state and the first batch of another step, or `END`.
    """
    data, fields = next(batches, END), ts.__dict__
    flat = fields.get("flat")
    if flat is None or flat.place is None:
        return ts, data
    vector, states, rule_state = fields["vector"], fields["states"], fields["rule_state"]
    place = flat.place
    donated, count = _DONATED if donate else (), len(values)
    while data is not END:
        known = place.step_after(loss, slowly, donated)
        if known is None:
            break
        args = vector, states, rule_state, flat.numbers, data
        done = recorded_result(known, place.surroundings, args)
        value, _, states, vector, rule_state = done
        values.append(value)
        data = next(batches, END)
    steps = len(values) - count
    return flat.after(fields, states, vector, rule_state, place, steps), data


def recorded_result(known: Known, around: Surroundings, args: tuple[Any, ...]) -> Any:
    """Return what a recorded step gives; one that changes its surroundings is not kept."""
    run = known.run
    try:
        done = run(*args)
    except REFUSALS as error:
        raise_with_advice(error, "train_step(..., jit=False) takes the step without recording it")
    if run.recordings != known.recordings:
        STEPS.check_settled(known, around)
    return done


def _flat(loss: Any, model: Any, layout: Layout | Layouts) -> Callable[..., Any]:
    def step(vector: Any, states: Any, rule_state: Any, numbers: Any, data: Any) -> Any:
        parameters = layout.parameters(vector)
        grads, value, states, stats = gradients(loss, model, parameters, states, data)
        rule = layout.rule_with(numbers)
        vector, rule_state = layout.moved(vector, rule_state, rule, layout.ravel(grads))
        return value, stats, states, vector, rule_state

    return step


def _structured_step(
    loss: Any, data: Any, ts: TrainState, asked_for: bool, donate: bool
) -> _Result | None:
    state = ts.optimizer_state
    assert state is not None
    rules, numbers = divided(state.rules)
    fixed = ts.model, state.structure, rules, state.frozen
    around = ts.model, rules.kinds
    scaled = is_scaled(ts.model)
    donate = donate and not scaled
    donated = _DONATED if donate else ()
    place = STEPS.find(_structured, loss, around, asked_for, donated, *fixed)
    known = None if place is None else place.known
    if place is None or known is None:
        return None
    with tolerant() if scaled else nullcontext():
        args = ts.parameters, ts.states, state.states, numbers, data
        done = recorded_result(known, place.surroundings, args)
    value, stats, parameters, states, rule_states = done
    if overflowed(ts.model, states):
        return value, stats, ts.replaced(states=states)
    state = OptimizerState(state.structure, state.rules, rule_states, state.frozen)
    after = ts.replaced(
        parameters=parameters, states=states, optimizer_state=state, step=ts.step + 1
    )
    if donate:
        ts.end()
    return value, stats, after


def _structured(
    loss: Any, model: Any, structure: Any, rules: RuleSet, frozen: Any
) -> Callable[..., Any]:
    def step(parameters: Any, states: Any, rule_states: Any, numbers: Any, data: Any) -> Any:
        grads, value, states, stats = gradients(loss, model, parameters, states, data)
        state = OptimizerState(structure, rules.rules(numbers), rule_states, frozen)
        state, parameters = optimizers.update(state, parameters, grads)
        return value, stats, parameters, states, state.states

    return step
