"""The state of an optimizer: one rule, one rule state and one flag for each parameter array."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple

import optree

from portanet import trees
from portanet.errors import ParameterTreeError
from portanet.interface import is_array
from portanet.optimizers.base import Rule, RuleState
from portanet.optimizers.hyperparameters import hyperparameters, with_hyperparameters
from portanet.trees import Tree, TreeStructure


class Leaf(NamedTuple):
    """What an optimizer keeps for one parameter array.

    Attributes
    ----------
    rule : Rule
        The rule with its hyperparameters.
    state : tuple or dict
        The state of the rule: arrays and Python numbers.
    frozen : bool
        Whether updates leave the parameter and this state alone.
    """

    rule: Rule
    state: RuleState
    frozen: bool


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class OptimizerState:
    """An immutable tree that mirrors the parameters, with a `Leaf` for each array.

    Made by `setup`. Indexing gives the part of one name, `tree` the whole as nested dicts. As a
    registered tree its children are the states of the rules, so a device moves their arrays.

    Examples
    --------
    >>> import numpy as np
    >>> import portanet as pn
    >>> ps = {"layer_1": {"weight": np.ones((2, 2)), "bias": np.zeros(2)}}
    >>> state = pn.optimizers.setup(pn.optimizers.SGD(0.1), ps)
    >>> print(state)
    OptimizerState
      layer_1.bias    SGD(lr=0.1, momentum=0.0, nesterov=False, dampening=0.0)
      layer_1.weight  SGD(lr=0.1, momentum=0.0, nesterov=False, dampening=0.0)
    >>> state["layer_1"]["bias"].rule.lr
    0.1
    """

    structure: TreeStructure
    rules: tuple[Rule | None, ...]
    states: tuple[RuleState, ...]
    frozen: tuple[bool, ...]

    def paths(self) -> list[str]:
        """Return the dotted path of each entry, in the order of `portanet.trees.leaves`."""
        return dotted_paths(self.structure)

    def tree(self) -> Tree:
        """Return the `Leaf` of each array in the containers of the parameters.

        An entry that is not trained (an integer array, a number, None) has None in its place.
        """
        rows = zip(self.rules, self.states, self.frozen, strict=True)
        leaves = [None if rule is None else Leaf(rule, *rest) for rule, *rest in rows]
        return trees.unflatten(self.structure, leaves)

    def to_state_dict(self) -> dict[str, Tree]:
        """Return all that training changes, as a tree: what `portanet.io` keeps in a file."""
        rules = map(hyperparameters, self.rules)
        columns = {"states": self.states, "rules": rules, "frozen": self.frozen}
        return {name: trees.unflatten(self.structure, rows) for name, rows in columns.items()}

    def from_state_dict(self, state: dict[str, Tree]) -> OptimizerState:
        """Return this state with what `to_state_dict` of one for the same parameters gave.

        Raises
        ------
        HyperparameterError
            If rules are of another kind there, or their numbers out of range.
        """
        columns = ("rules", "states", "frozen")
        rows: list[Any] = [self.structure.flatten_up_to(state[name]) for name in columns]
        numbers, states, frozen = rows
        known: dict[Any, Any] = {}  # parameters that share a rule go on sharing one
        rules = []
        for rule, own in zip(self.rules, numbers, strict=True):
            key = id(rule), tuple(trees.leaves(own))
            if key not in known:
                known[key] = with_hyperparameters(rule, own)
            rules.append(known[key])
        return OptimizerState(self.structure, tuple(rules), tuple(states), tuple(frozen))

    def __getitem__(self, name: Any) -> Tree:
        return self.tree()[name]

    def __str__(self) -> str:
        rows = [
            (path, f"{rule}{'  (frozen)' if frozen else ''}")
            for path, rule, frozen in zip(self.paths(), self.rules, self.frozen, strict=True)
            if rule is not None
        ]
        width = max((len(path) for path, _ in rows), default=0)
        lines = (f"  {path:<{width}}  {rule}".rstrip() for path, rule in rows)
        return "\n".join(("OptimizerState", *lines))

    __repr__ = __str__


def _split(state: OptimizerState) -> tuple[Any, Any, Any]:
    return state.states, (state.structure, state.rules, state.frozen), tuple(state.paths())


def _join(metadata: Any, states: Iterable[Any]) -> OptimizerState:
    structure, rules, frozen = metadata
    return OptimizerState(structure, rules, tuple(states), frozen)


_register: Any = optree.register_pytree_node  # its types ask for a collection
_register(OptimizerState, _split, _join, namespace=trees.NAMESPACE)


def flatten_entries(tree: Tree) -> tuple[list[Any], TreeStructure]:
    """Split a tree into its leaves and its structure, with None as a leaf."""
    try:
        return optree.tree_flatten(tree, none_is_leaf=True, namespace=trees.NAMESPACE)
    except RecursionError:
        trees.refuse_depth()


def dotted_paths(structure: TreeStructure) -> list[str]:
    """Return the dotted path of each leaf of `structure`."""
    return [".".join(map(str, path)) for path in structure.paths()]


def check_structure(expected: TreeStructure, given: TreeStructure, what: str) -> None:
    """Raise `ParameterTreeError` unless `what`, built as `given`, mirrors the optimizer state."""
    if given == expected:
        return
    wanted, found = dotted_paths(expected), dotted_paths(given)
    missing = [path for path in wanted if path not in found]
    surplus = [path for path in found if path not in wanted]
    if missing or surplus:
        detail = f"missing {missing or 'none'}, unexpected {surplus or 'none'}"
    else:
        detail = f"other containers: {given} != {expected}"
    raise ParameterTreeError(
        f"{what} mirror the parameters that optimizers.setup was given: {detail}"
    )


def name_of(path: str) -> str:
    """Return how a message calls the entry at `path`; a lone array has an empty one."""
    return f"parameter {path!r}" if path else "the parameter"


def array_like(x: Any) -> bool:
    """Whether `x` is an array rather than a number, a name or None."""
    return x is not None and is_array(x)
