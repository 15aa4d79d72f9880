"""Where parameters lie in vectors: all that one rule updates, without asking which array is which.

Parameters of several groups, each with a rule of its own, have a vector for each.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from portanet import trees
from portanet.interface import backend_of
from portanet.optimizers import OptimizerState
from portanet.optimizers.complex_parts import is_complex
from portanet.tracing.call.recent import Recent
from portanet.tracing.record.host import Counter
from portanet.training.precision.loss_scale import is_scaled
from portanet.training.state import TrainState
from portanet.training.steps.rules import bare, equal, numbers_of, with_numbers

_MOST_GROUPS = 8


@dataclass(frozen=True, eq=False)
class Layout:
    """Where each parameter of one rule lies in the vector.

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

    def vectors(self, vector: Any) -> tuple[Any, ...]:
        """Return the vectors that a training state keeps."""
        return (vector,)

    def cut(self, vector: Any) -> list[Any]:
        """Return the arrays that make up a vector."""
        return list(backend_of(vector).cut(vector, self.shapes))

    def ravel(self, tree: Any) -> Any:
        """Return the arrays of a tree as one vector."""
        return self.join(trees.leaves(tree))

    def join(self, arrays: Sequence[Any]) -> Any:
        """Return arrays as the vector that `cut` makes them of."""
        return backend_of(*arrays).join(arrays)

    def parameters(self, vector: Any) -> Any:
        return trees.unflatten(self.structure, self.cut(vector))

    def flatten(self, ts: TrainState) -> tuple[Any, Any]:
        """Return the parameters as a vector, and the rule's state for it."""
        assert ts.optimizer_state is not None
        return self.ravel(ts.parameters), self.ravel_states(ts.optimizer_state.states)

    def ravel_states(self, states: Sequence[Any]) -> Any:
        """Return the states of the rule for all parameters as one."""
        columns = zip(*map(trees.leaves, states), strict=True)
        parts = [c[0] if isinstance(c[0], Counter) else self.join(c) for c in columns]
        return trees.unflatten(self.rule_structure, parts)

    def cut_states(self, rule_state: Any) -> list[Any]:
        """Return the states of the rule for all parameters."""
        columns = [
            [part] * len(self.shapes) if isinstance(part, Counter) else self.cut(part)
            for part in trees.leaves(rule_state)
        ]
        if not columns:
            return [rule_state] * len(self.shapes)
        return [trees.unflatten(self.rule_structure, row) for row in zip(*columns, strict=True)]

    def optimizer_state(self, rule: Any, rule_state: Any) -> OptimizerState:
        state = self.state
        states, rules = tuple(self.cut_states(rule_state)), (rule,) * len(self.shapes)
        return OptimizerState(state.structure, rules, states, state.frozen)

    def rule_of(self, state: OptimizerState) -> tuple[Any, Any]:
        """Return the rule of an optimizer's state, and what varies in it."""
        return state.rules[0], numbers_of(state.rules[0])

    def rule_with(self, numbers: Any) -> Any:
        """Return the rule with what varies in it."""
        return with_numbers(self.rule, numbers)

    def moved(self, vector: Any, rule_state: Any, rule: Any, gradient: Any) -> tuple[Any, Any]:
        """Return the vector and the rule's state after a step; the gradient is a vector too."""
        rule_state, change = rule.apply(rule_state, vector, gradient)
        return vector - change, rule_state


@dataclass(frozen=True, eq=False)
class Layouts:
    """Where the parameters of several groups lie, each in the vector of its group.

    Parameters
    ----------
    structure : TreeStructure
        Of the parameters.
    members : tuple of Layout
        One a group; their structures are not used.
    places : tuple of tuples of int
        Which parameters are in each group.
    state : OptimizerState
        As in `Layout`.
    """

    structure: Any
    members: tuple[Layout, ...]
    places: tuple[tuple[int, ...], ...]
    state: OptimizerState

    @property
    def rule(self) -> tuple[Any, ...]:
        return tuple(member.rule for member in self.members)

    def vectors(self, vectors: Any) -> tuple[Any, ...]:
        return vectors

    def cut(self, vectors: Sequence[Any]) -> list[Any]:
        """Return the arrays of all parameters."""
        return self._spread(m.cut(v) for m, v in zip(self.members, vectors, strict=True))

    def parameters(self, vectors: Sequence[Any]) -> Any:
        return trees.unflatten(self.structure, self.cut(vectors))

    def flatten(self, ts: TrainState) -> tuple[Any, Any]:
        assert ts.optimizer_state is not None
        states = self._gathered(ts.optimizer_state.states)
        return self.ravel(ts.parameters), tuple(
            m.ravel_states(own) for m, own in zip(self.members, states, strict=True)
        )

    def optimizer_state(self, rules: Sequence[Any], rule_states: Sequence[Any]) -> OptimizerState:
        rows = zip(self.members, rules, rule_states, strict=True)
        columns = [(m.cut_states(own), [rule] * len(m.shapes)) for m, rule, own in rows]
        states, spread = (self._spread(column) for column in zip(*columns, strict=True))
        state = self.state
        return OptimizerState(state.structure, tuple(spread), tuple(states), state.frozen)

    def rule_of(self, state: OptimizerState) -> tuple[Any, Any]:
        rules = tuple(state.rules[places[0]] for places in self.places)
        return rules, tuple(map(numbers_of, rules))

    def ravel(self, tree: Any) -> tuple[Any, ...]:
        """Return the arrays of a tree built as the parameters as the vector of each group."""
        return self.join(trees.leaves(tree))

    def join(self, arrays: Sequence[Any]) -> tuple[Any, ...]:
        """Return the arrays of all parameters as the vector of each group."""
        rows = zip(self.members, self._gathered(arrays), strict=True)
        return tuple(m.join(own) for m, own in rows)

    def rule_with(self, numbers: Any) -> tuple[Any, ...]:
        return tuple(m.rule_with(own) for m, own in zip(self.members, numbers, strict=True))

    def moved(self, vectors: Any, rule_states: Any, rules: Any, given: Any) -> tuple[Any, Any]:
        rows = zip(self.members, vectors, rule_states, rules, given, strict=True)
        done = [m.moved(vector, own, rule, g) for m, vector, own, rule, g in rows]
        return tuple(vector for vector, _ in done), tuple(own for _, own in done)

    def _gathered(self, entries: Sequence[Any]) -> list[list[Any]]:
        """Return the entries of the parameters of each group."""
        return [[entries[place] for place in places] for places in self.places]

    def _spread(self, parts: Iterable[Sequence[Any]]) -> list[Any]:
        """Return the entries of all groups in the order of the parameters."""
        found: list[Any] = [None] * sum(map(len, self.places))
        for places, part in zip(self.places, parts, strict=True):
            for place, entry in zip(places, part, strict=True):
                found[place] = entry
        return found


LAYOUTS = Recent(64)


def layout_of(ts: TrainState) -> Layout | Layouts | None:
    """Return the layout of a training state, None if its parameters have to stay apart."""
    state = ts.optimizer_state
    assert state is not None
    leaves, structure = trees.flatten(ts.parameters)
    if is_scaled(ts.model):  # a step that is left out leaves its trees as they were
        return None
    if not leaves or len(state.rules) != len(leaves):
        return None
    if any(state.frozen):
        return None
    groups = _groups(state.rules, leaves)
    if groups is None:
        return None
    rows = [trees.flatten(row) for row in state.states]
    for places in groups:
        (parts, rule_structure), first = rows[places[0]], leaves[places[0]]
        for place in places:
            own, x = rows[place], leaves[place]
            if own[1] != rule_structure or x.dtype != first.dtype:
                return None
            if not all(map(_alike, own[0], parts, [x] * len(own[0]))):
                return None
    shapes = tuple(x.shape for x in leaves)
    rules = tuple(bare(state.rules[places[0]]) for places in groups)
    structures = tuple(rows[places[0]][1] for places in groups)
    key = structure, shapes, tuple(groups), rules, structures, state.structure
    try:
        layout = LAYOUTS.get(key)
    except TypeError:  # a rule without a hash
        return None
    return layout or LAYOUTS.put(key, _made(*key[:5], state))


def _made(
    structure: Any,
    shapes: tuple[Any, ...],
    groups: tuple[tuple[int, ...], ...],
    rules: tuple[Any, ...],
    structures: tuple[Any, ...],
    state: OptimizerState,
) -> Layout | Layouts:
    empty = OptimizerState(state.structure, state.rules, (), state.frozen)
    members = tuple(
        Layout(structure, tuple(shapes[place] for place in places), rule, own, empty)
        for places, rule, own in zip(groups, rules, structures, strict=True)
    )
    return members[0] if len(members) == 1 else Layouts(structure, members, groups, empty)


def _groups(rules: Sequence[Any], leaves: Sequence[Any]) -> tuple[tuple[int, ...], ...] | None:
    """Return which parameters have one rule and one dtype, None if some have to stay apart."""
    if rules[0] is None:
        return None
    if all(equal(rule, rules[0]) for rule in rules) and len({x.dtype for x in leaves}) == 1:
        if not rules[0].joinable or is_complex(leaves[0]):
            return None
        return (tuple(range(len(leaves))),)
    found: list[tuple[Any, Any, list[int]]] = []
    for place, (rule, x) in enumerate(zip(rules, leaves, strict=True)):
        if rule is None or is_complex(x) or not rule.separable:
            return None
        for own, dtype, places in found:
            if equal(rule, own) and x.dtype == dtype:
                places.append(place)
                break
        else:
            found.append((rule, x.dtype, [place]))
    if len(found) > _MOST_GROUPS:
        return None
    return tuple(tuple(places) for _, _, places in found)


def _alike(part: Any, first: Any, x: Any) -> bool:
    if isinstance(part, Counter):
        return part == first
    return part.shape == x.shape and part.dtype == first.dtype
