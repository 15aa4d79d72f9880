"""All parameters as one vector, where the optimizer does not ask which array is which.

One operation on a vector costs less than one on each small array. Between steps the vector is
kept; a training state cuts its trees out of it when somebody asks for them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

from portanet import trees
from portanet.interface import array_namespace, backend_of
from portanet.optimizers import OptimizerState
from portanet.optimizers.complex_parts import is_complex
from portanet.tracing.call.recent import Recent
from portanet.tracing.record.host import Counter
from portanet.training.precision.loss_scale import is_scaled
from portanet.training.rules import bare, numbers_of
from portanet.training.state import TrainState


@dataclass(frozen=True, eq=False)
class Layout:
    """Where each parameter lies in the vector.

    Parameters
    ----------
    structure : TreeStructure
        Of the parameters.
    shapes : tuple of shapes
    rule : Rule
        The one rule of all parameters, with 0 for what varies.
    rule_structure : TreeStructure
        Of the rule's state for one parameter.
    state : OptimizerState
        One of the optimizer without arrays; its structure is that of all steps.
    """

    structure: Any
    shapes: tuple[tuple[int, ...], ...]
    rule: Any
    rule_structure: Any
    state: OptimizerState

    def cut(self, vector: Any) -> list[Any]:
        """Return the arrays that make up a vector."""
        xp, start, parts = array_namespace(vector), 0, []
        for shape in self.shapes:
            end = start + math.prod(shape)
            parts.append(xp.reshape(vector[start:end], shape))
            start = end
        return parts

    def ravel(self, tree: Any) -> Any:
        """Return the arrays of a tree as one vector."""
        leaves = trees.leaves(tree)
        xp = array_namespace(*leaves)
        return xp.concat([xp.reshape(x, (-1,)) for x in leaves])

    def parameters(self, vector: Any) -> Any:
        return trees.unflatten(self.structure, self.cut(vector))

    def flatten(self, ts: TrainState) -> tuple[Any, Any]:
        """Return the parameters as a vector, and the rule's state for it."""
        assert ts.optimizer_state is not None
        columns = zip(*map(trees.leaves, ts.optimizer_state.states), strict=True)
        parts = [c[0] if isinstance(c[0], Counter) else self.ravel(list(c)) for c in columns]
        return self.ravel(ts.parameters), trees.unflatten(self.rule_structure, parts)

    def optimizer_state(self, rule: Any, rule_state: Any) -> OptimizerState:
        columns = [
            [part] * len(self.shapes) if isinstance(part, Counter) else self.cut(part)
            for part in trees.leaves(rule_state)
        ]
        rows = [trees.unflatten(self.rule_structure, row) for row in zip(*columns, strict=True)]
        state = self.state
        states = tuple(rows) if columns else state.states
        rules = (rule,) * len(self.shapes)
        return OptimizerState(state.structure, rules, states, state.frozen)


LAYOUTS = Recent(64)


def layout_of(ts: TrainState) -> Layout | None:
    """Return the layout of a training state, None if its parameters have to stay apart."""
    state = ts.optimizer_state
    assert state is not None
    leaves, structure = trees.flatten(ts.parameters)
    if is_scaled(ts.model):  # a step that is left out leaves its trees as they were
        return None
    if not leaves or len(state.rules) != len(leaves):
        return None
    if backend_of(*leaves).differentiates_itself:
        return None
    rule, first = state.rules[0], leaves[0]
    if rule is None or not rule.joinable or any(state.frozen) or is_complex(first):
        return None
    if any(r != rule for r in state.rules) or any(x.dtype != first.dtype for x in leaves):
        return None
    rows = [trees.flatten(row) for row in state.states]
    rule_structure = rows[0][1]
    for (parts, own), x in zip(rows, leaves, strict=True):
        if own != rule_structure or not all(map(_alike, parts, rows[0][0], [x] * len(parts))):
            return None
    shapes = tuple(x.shape for x in leaves)
    key = structure, shapes, bare(rule), rule_structure, state.structure
    try:
        layout = LAYOUTS.get(key)
    except TypeError:  # a rule without a hash
        return None
    if layout is None:
        states = () if rows[0][0] else state.states
        empty = OptimizerState(state.structure, state.rules, states, state.frozen)
        layout = LAYOUTS.put(key, Layout(*key[:4], empty))
    return layout


def _alike(part: Any, first: Any, x: Any) -> bool:
    if isinstance(part, Counter):
        return part == first
    return part.shape == x.shape and part.dtype == first.dtype


@dataclass(frozen=True, slots=True, eq=False)
class Flat:
    """How a training state is kept as vectors; the vectors themselves lie beside it.

    Parameters
    ----------
    layout : Layout
    rule : Rule
        The rule with its numbers.
    numbers : tuple of float
        What varies in the rule.
    place : Place, optional
        Where the last step was found: that of the next one, as a rule.
    """

    layout: Layout
    rule: Any
    numbers: tuple[Any, ...]
    place: Any = None

    def shown(self, name: str, fields: dict[str, Any]) -> Any:
        """Return the parameters or the optimizer's state made of the vectors among `fields`."""
        if name == "parameters":
            return self.layout.parameters(fields["vector"])
        return self.layout.optimizer_state(self.rule, fields["rule_state"])

    def with_rule(self, rule: Any) -> Flat | None:
        """Return this with other numbers in the rule, None if it is another one besides."""
        if bare(rule) != self.layout.rule:
            return None
        return replace(self, rule=rule, numbers=numbers_of(rule))

    @classmethod
    def of(cls, ts: TrainState) -> tuple[Flat, Any, Any] | None:
        """Return how a training state is or could be kept, its vector and the rule's state."""
        fields = ts.__dict__
        if "flat" in fields and ts.is_as_shown():
            return fields["flat"], fields["vector"], fields["rule_state"]
        layout = layout_of(ts)
        if layout is None:
            return None
        assert ts.optimizer_state is not None
        rule = ts.optimizer_state.rules[0]
        return cls(layout, rule, numbers_of(rule)), *layout.flatten(ts)

    def after(
        self, ts: TrainState, states: Any, vector: Any, rule_state: Any, place: Any, steps: int = 1
    ) -> TrainState:
        """Return the training state some steps after `ts`, kept flat."""
        old = ts.__dict__
        new = object.__new__(TrainState)
        fields = {
            "model": old["model"],
            "optimizer": old["optimizer"],
            "step": old["step"] + steps,
            "states": states,
            "flat": self if self.place is place else replace(self, place=place),
            "vector": vector,
            "rule_state": rule_state,
        }
        object.__setattr__(new, "__dict__", fields)
        return new
