"""Rules in a row."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from portanet.errors import HyperparameterError, shown
from portanet.optimizers.base import Array, Rule, RuleState


@dataclass(frozen=True, init=False, repr=False)
class OptimizerChain(Rule):
    """Rules in a row: each takes the step of the one before it as its gradient.

    Parameters
    ----------
    *rules : Rule
        At least one. The first is the nearest to the gradient. A chain among them is replaced by
        its members.

    Raises
    ------
    HyperparameterError
        If there is no rule, or something that is not a rule.

    Examples
    --------
    >>> import portanet as pn
    >>> pn.optimizers.OptimizerChain(pn.optimizers.ClipNorm(1.0), pn.optimizers.Adam())
    OptimizerChain(ClipNorm(limit=1.0), Adam(lr=0.001, betas=(0.9, 0.999), epsilon=1e-08))
    """

    rules: tuple[Rule, ...]

    def __init__(self, *rules: Rule) -> None:
        members: list[Rule] = []
        for rule in rules:
            if not isinstance(rule, Rule):
                raise HyperparameterError(
                    f"OptimizerChain: each member is a rule: got {shown(rule)}: pass rules such as "
                    f"pn.optimizers.Adam(0.001)"
                )
            members.extend(rule.rules if isinstance(rule, OptimizerChain) else (rule,))
        if not members:
            raise HyperparameterError("OptimizerChain: at least one rule: got none")
        object.__setattr__(self, "rules", tuple(members))

    def __repr__(self) -> str:
        return f"OptimizerChain({', '.join(map(repr, self.rules))})"

    @property
    def elementwise(self) -> bool:  # pyright: ignore[reportIncompatibleVariableOverride]
        return all(rule.elementwise for rule in self.rules)

    @property
    def joinable(self) -> bool:
        return all(rule.joinable for rule in self.rules)

    def numbers(self) -> tuple[float, ...]:
        return tuple(number for rule in self.rules for number in rule.numbers())

    def with_numbers(self, numbers: Sequence[Any]) -> OptimizerChain:
        rest = iter(numbers)
        rules = (rule.with_numbers([next(rest) for _ in rule.numbers()]) for rule in self.rules)
        return OptimizerChain(*rules)

    def init(self, x: Array) -> tuple[RuleState, ...]:
        return tuple(rule.init(x) for rule in self.rules)

    def apply(self, state: RuleState, x: Array, g: Array) -> tuple[RuleState, Array]:
        states = []
        for rule, rule_state in zip(self.rules, state, strict=True):
            rule_state, g = rule.apply(rule_state, x, g)
            states.append(rule_state)
        return tuple(states), g

    @classmethod
    def apply_all(
        cls,
        rules: Sequence[Any],
        states: Sequence[RuleState],
        xs: Sequence[Array],
        gs: Sequence[Array],
    ) -> tuple[list[RuleState], list[Array]]:
        columns = []
        members = zip(*(chain.rules for chain in rules), strict=True)
        for row, row_states in zip(members, zip(*states, strict=True), strict=True):
            new_states, gs = type(row[0]).apply_all(row, row_states, xs, gs)
            columns.append(new_states)
        return list(zip(*columns, strict=True)), list(gs)


def chain(*rules: Rule) -> OptimizerChain:
    """Join `rules` into an `OptimizerChain`.

    Examples
    --------
    >>> import portanet as pn
    >>> pn.optimizers.chain(pn.optimizers.ClipGradient(0.5), pn.optimizers.SGD(0.1))
    OptimizerChain(ClipGradient(limit=0.5), SGD(lr=0.1, momentum=0.0, nesterov=False))
    """
    return OptimizerChain(*rules)
