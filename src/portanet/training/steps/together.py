"""What a step of training is where several workers take it together.

The gradient of each worker's own part of a batch, then one message, then the same update on all.
The two halves are recorded, as two programs: a message is no operation of either, since a worker
that records, for a batch of another shape, would send it at another time than one that replays.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace
from functools import partial
from typing import Any

from portanet import optimizers, trees
from portanet.data.part import BatchPart
from portanet.distributed import DistributedOptimizer
from portanet.distributed.batch_norm import is_synchronized
from portanet.distributed.group import current
from portanet.distributed.keys import common_keys, own_keys
from portanet.distributed.messages import allreduced, packed, unpacked
from portanet.distributed.shared import weighing
from portanet.errors import ArgumentError
from portanet.interface import array_namespace, backend_of, is_array
from portanet.optimizers import OptimizerState
from portanet.tracing.record.host import Varying
from portanet.training.known.known_steps import STEPS
from portanet.training.objective import own_part
from portanet.training.precision.loss_scale import is_scaled, overflowed, rejected, tolerant
from portanet.training.state import TrainState
from portanet.training.steps.compiled import recorded_result
from portanet.training.steps.flat import Flat
from portanet.training.steps.gradients import Loss, check_loss, checked, gradients
from portanet.training.steps.layout import Layout, Layouts
from portanet.training.steps.rules import INNER, RuleSet, divided
from portanet.trees import Tree

_Result = tuple[Any, Any, TrainState]


def is_together(ts: TrainState, data: Any = None) -> bool:
    """Whether a training state belongs to a training by several workers.

    Raises
    ------
    ArgumentError
        If it does not, and `data` is a part of a batch.
    """
    if isinstance(ts.optimizer, DistributedOptimizer):
        return True
    if isinstance(data, BatchPart):
        raise ArgumentError(
            "a batch of a DistributedLoader is trained on together: make the training state with "
            f"pn.distributed.DistributedOptimizer(rule): got {ts.optimizer}"
        )
    return False


def weight_of(part: BatchPart | None) -> float:
    """Return what the mean of this worker counts for in the mean of all."""
    return 1.0 if part is None else part.weight


def weighed(loss: Loss, weight: Any) -> Loss:
    """Return a loss times the weight of a part, so that the mean over the workers is right.

    Its statistics are the loss as it was, with the statistics of that.
    """

    def product(model: Any, ps: Tree, st: Tree, data: Any) -> tuple[Any, Tree, Any]:
        with weighing(weight):
            value, st, stats = checked(loss(model, ps, st, data))
        return value * weight, st, (value, stats)

    return product


def counted(arrays: list[Any], part: BatchPart | None) -> list[Any]:
    """Return gradients, zeros if no sample has made them: they may be NaN."""
    if part is None or part.samples:
        return arrays
    return [array_namespace(g).zeros_like(g) for g in arrays]


def own_gradients(loss: Loss, data: Any, ts: TrainState, ad: Any) -> tuple[Tree, Any, Tree, Any]:
    """Return the weighed gradients of this worker, the value, the new states and statistics."""
    check_loss(loss)
    data, part = own_part(loss, data)
    own = weighed(loss, weight_of(part))
    done = gradients(own, ts.model, ts.parameters, own_keys(ts.states), data, ad)
    grads, _, states, (value, stats) = done
    leaves, structure = trees.flatten(grads)
    return trees.unflatten(structure, counted(leaves, part)), value, agreed(ts, states), stats


def agreed(ts: TrainState, states: Tree) -> Tree:
    """Return the new states of this worker as all go on with them.

    Their keys are of all. They are those of a step that is left out if the gradients of any worker
    overflow; only mixed precision leaves steps out.
    """
    states = common_keys(states, ts.states)
    if not is_scaled(ts.model):
        return states
    fine = not overflowed(ts.model, states)
    every = current().gather(bytes([fine]))
    return rejected(ts.model, states, ts.states) if fine and bytes([False]) in every else states


def compiled_step_together(
    loss: Any, data: Any, ts: TrainState, slowly: bool, donate: bool
) -> _Result | None:
    """Take a step by two replays and a message, None where it runs better as it is."""
    arrays = list(filter(is_array, trees.leaves((ts.parameters, ts.states))))
    backend = backend_of(*arrays[:1])
    if backend.jit == "none" or (backend.compiles_slowly and not slowly):
        return None
    if backend.jit == "library" and is_synchronized(ts.model):  # no compiler sends messages
        return None
    found = None if backend.differentiates_itself else Flat.of(ts)
    if found is not None:
        return _flat_step(loss, data, ts, found, slowly, donate)
    if not all(map(is_array, trees.leaves(ts.parameters))):
        return None
    return _structured_step(loss, data, ts, slowly, donate)


def _recorded(*args: Any) -> Callable[..., Any] | None:
    """Return the step that `KnownSteps.find` finds, None where it runs as it is."""
    place = STEPS.find(*args)
    if place is None or place.known is None:
        return None
    return partial(recorded_result, place.known, place.surroundings)


def _flat_step(
    loss: Any, data: Any, ts: TrainState, kept: tuple[Flat, Any, Any], slowly: bool, donate: bool
) -> _Result | None:
    flat, vector, rule_state = kept
    layout, donated = flat.layout, (0, 1) if donate else ()
    step = _recorded(_flat_gradients, loss, (ts.model,), slowly, (), ts.model, layout)
    if step is None:
        return None
    data, part = own_part(loss, data)
    weight = Varying(weight_of(part))
    value, stats, states, own = step((vector, own_keys(ts.states), weight, data))
    states = agreed(ts, states)
    inner = _inner(layout)
    update = _recorded(_flat_update, optimizers.update, (inner.rule,), slowly, donated, inner)
    args = vector, rule_state, flat.numbers, _mean(own, part)
    if update is None:
        vector, rule_state = _flat_update(None, inner)(*args)
    else:
        vector, rule_state = update(args)
    after = flat.after(ts.__dict__, states, vector, rule_state, None)
    if donate and "flat" in ts.__dict__:
        ts.end()
    return value, stats, after


def _mean(gradients: Any, part: BatchPart | None) -> Any:
    """Return the mean over the workers of gradients that are a vector, or one a group."""
    vectors, structure = trees.flatten(gradients)
    vectors = counted(vectors, part)
    means = allreduced(current(), packed(vectors), "mean")
    return trees.unflatten(structure, unpacked(means, vectors))


def _inner(outer: Any) -> Any:
    """Return a layout or rules with the rules inside of `DistributedOptimizer`, always the same."""
    known = INNER.get(id(outer))  # it is held: no other one has its id
    return (known or INNER.put(id(outer), (outer, _without_wrappers(outer))))[1]


def _without_wrappers(outer: Any) -> Any:
    if isinstance(outer, Layouts):
        return replace(outer, members=tuple(map(_inner, outer.members)))
    if isinstance(outer, RuleSet):
        return replace(outer, kinds=tuple(kind.rule for kind in outer.kinds))
    return replace(outer, rule=outer.rule.rule)


def _flat_gradients(loss: Any, model: Any, layout: Layout | Layouts) -> Callable[..., Any]:
    def step(vector: Any, states: Any, weight: Any, data: Any) -> Any:
        parameters, own = layout.parameters(vector), weighed(loss, weight)
        grads, _, states, (value, stats) = gradients(own, model, parameters, states, data)
        return value, stats, states, layout.ravel(grads)

    return step


def _flat_update(_: Any, layout: Layout | Layouts) -> Callable[..., Any]:
    def step(vector: Any, rule_state: Any, numbers: Any, gradient: Any) -> Any:
        return layout.moved(vector, rule_state, layout.rule_with(numbers), gradient)

    return step


def _structured_step(
    loss: Any, data: Any, ts: TrainState, slowly: bool, donate: bool
) -> _Result | None:
    state = ts.optimizer_state
    assert state is not None
    scaled = is_scaled(ts.model)
    step = _recorded(_structured_gradients, loss, (ts.model,), slowly, (), ts.model)
    if step is None:
        return None
    data, part = own_part(loss, data)
    given = ts.parameters, own_keys(ts.states), Varying(weight_of(part)), data
    with tolerant() if scaled else nullcontext():
        done = step(given)
    value, stats, states, vectors = done
    states = agreed(ts, states)
    if overflowed(ts.model, states):
        return value, stats, ts.replaced(states=states)
    means = allreduced(current(), counted(vectors, part), "mean")
    rules, numbers = divided(state.rules)
    inner = _inner(rules)
    fixed = state.structure, inner, state.frozen
    donated = (0, 1) if donate and not scaled else ()
    update = _recorded(_structured_update, optimizers.update, inner.kinds, slowly, donated, *fixed)
    args = ts.parameters, state.states, numbers, means
    if update is None:
        parameters, rule_states = _structured_update(None, *fixed)(*args)
    else:
        parameters, rule_states = update(args)
    state = OptimizerState(state.structure, state.rules, rule_states, state.frozen)
    after = ts.replaced(
        parameters=parameters, states=states, optimizer_state=state, step=ts.step + 1
    )
    if donated:
        ts.end()
    return value, stats, after


def _structured_gradients(loss: Any, model: Any) -> Callable[..., Any]:
    def step(parameters: Any, states: Any, weight: Any, data: Any) -> Any:
        own = weighed(loss, weight)
        grads, _, states, (value, stats) = gradients(own, model, parameters, states, data)
        return value, stats, states, packed(trees.leaves(grads))

    return step


def _structured_update(_: Any, structure: Any, rules: RuleSet, frozen: Any) -> Callable[..., Any]:
    def step(parameters: Any, rule_states: Any, numbers: Any, means: Any) -> Any:
        leaves, own = trees.flatten(parameters)
        grads = trees.unflatten(own, unpacked(means, leaves))
        state = OptimizerState(structure, rules.rules(numbers), rule_states, frozen)
        state, parameters = optimizers.update(state, parameters, grads)
        return parameters, state.states

    return step
