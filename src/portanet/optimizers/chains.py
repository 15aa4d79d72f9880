"""Rules in a row."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from portanet.errors import HyperparameterError, shown
from portanet.optimizers.base import Array, Rule, RuleState, apply_rules


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

    @property
    def separable(self) -> bool:
        return all(rule.separable for rule in self.rules)

    def numbers(self) -> tuple[float, ...]:
        return tuple(number for rule in self.rules for number in rule.numbers())

    def with_numbers(self, numbers: Sequence[Any]) -> OptimizerChain:
        rest = iter(numbers)
        rules = (rule.with_numbers([next(rest) for _ in rule.numbers()]) for rule in self.rules)
        return OptimizerChain(*rules)

    def by_parameter(self, paths: Sequence[str], xs: Sequence[Array]) -> list[Any]:
        columns = [rule.by_parameter(paths, xs) for rule in self.rules]
        known: dict[tuple[int, ...], OptimizerChain] = {}  # parameters share what is alike
        return [
            known.setdefault(tuple(map(id, members)), OptimizerChain(*members))
            for members in zip(*columns, strict=True)
        ]

    def check(self, x: Array) -> None:
        for rule in self.rules:
            rule.check(x)

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
        new_states: list[list[RuleState]] = [[] for _ in rules]
        gs = list(gs)
        for place in range(max(len(chain.rules) for chain in rules)):
            # Chains of different groups may differ in length.
            rows = [i for i, chain in enumerate(rules) if place < len(chain.rules)]
            done = apply_rules(
                [rules[i].rules[place] for i in rows],
                [states[i][place] for i in rows],
                [xs[i] for i in rows],
                [gs[i] for i in rows],
            )
            for i, state, step in zip(rows, *done, strict=True):
                new_states[i].append(state)
                gs[i] = step
        return list(map(tuple, new_states)), gs


def chain(*rules: Rule) -> OptimizerChain:
    """Join `rules` into an `OptimizerChain`.

    Examples
    --------
    >>> import portanet as pn
    >>> pn.optimizers.chain(pn.optimizers.ClipGradient(0.5), pn.optimizers.Momentum(0.1))
    OptimizerChain(ClipGradient(limit=0.5), Momentum(lr=0.1, momentum=0.9))
    """
    return OptimizerChain(*rules)
