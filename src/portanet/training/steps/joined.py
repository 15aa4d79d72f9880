"""A step of a small model that runs as it is, with the parameters kept as vectors.

Where a call of a library costs more than what it computes, an update of one vector saves most of an
update of many small arrays.
"""

from __future__ import annotations

from typing import Any

from portanet import trees
from portanet.interface import backend_of, is_array
from portanet.training.state import TrainState
from portanet.training.steps.flat import Flat
from portanet.training.steps.gradients import gradients_of_leaves


def joined_step(loss: Any, data: Any, ts: TrainState) -> tuple[Any, Any, TrainState] | None:
    """Take a step on vectors, None where the parameters have to stay apart."""
    found = _joined(ts)
    if found is None:
        return None
    flat, vector, rule_state = found
    layout, leaves = flat.layout, flat.layout.cut(vector)
    done = gradients_of_leaves(loss, ts.model, leaves, layout.structure, ts.states, data)
    grads, value, states, stats = done
    vector, rule_state = layout.moved(vector, rule_state, flat.rule, layout.join(grads))
    after = flat.after(ts.__dict__, states, vector, rule_state, None)
    if any(map(backend_of(leaves[0]).is_traced, layout.vectors(vector))):
        after = after.replaced()  # trees stay in the derivative of the step that is under way
    return value, stats, after


def _joined(ts: TrainState) -> tuple[Flat, Any, Any] | None:
    """Return how a training state is kept, its vector and the rule's state."""
    fields = ts.__dict__
    if "flat" in fields and "parameters" not in fields and "optimizer_state" not in fields:
        flat, vector = fields["flat"], fields["vector"]
        vectors = flat.layout.vectors(vector)
        joined = backend_of(vectors[0]).joins(vectors)
        return (flat, vector, fields["rule_state"]) if joined else None
    state = ts.optimizer_state
    assert state is not None
    arrays, others = trees.leaves(ts.parameters), filter(is_array, trees.leaves(state.states))
    joined = all(map(is_array, arrays)) and backend_of(*arrays[:1]).joins(arrays, list(others))
    return Flat.of(ts) if joined else None
