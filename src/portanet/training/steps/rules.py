"""The rules of a training state without the numbers that may change from step to step."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from portanet.optimizers import Rule
from portanet.tracing.call.recent import Recent
from portanet.tracing.record.host import Varying

Numbers = tuple[tuple[Varying, ...], ...]

DIVIDED = Recent(64)
"""The rules of states that were divided, with what they gave, by their ids."""

INNER = Recent(64)
"""Layouts and rules of several workers, with those of one, by their ids."""


@dataclass(frozen=True)
class RuleSet:
    """The different rules of an optimizer, and which parameter has which.

    Parameters
    ----------
    kinds : tuple of Rule
        With 0 for what varies.
    places : tuple of int or None
        The rule of each parameter.
    """

    kinds: tuple[Any, ...]
    places: tuple[int | None, ...]

    def rules(self, numbers: Sequence[Sequence[Any]]) -> tuple[Rule | None, ...]:
        """Return the rule of each parameter, with the numbers of each kind."""
        rules = [with_numbers(k, n) for k, n in zip(self.kinds, numbers, strict=True)]
        return tuple(None if place is None else rules[place] for place in self.places)


def bare(rule: Any) -> Any:
    """Return a rule with 0 for what varies: equal for rules that differ in nothing else."""
    return rule.with_numbers([0.0] * len(rule.numbers()))


def numbers_of(rule: Any) -> tuple[Varying, ...]:
    """Return what varies in a rule, as inputs of a jitted function."""
    return tuple(map(Varying, rule.numbers()))


def with_numbers(rule: Any, numbers: Sequence[Any]) -> Any:
    """Return a rule with what varies in it, given by `numbers_of` or by a recorder."""
    return rule.with_numbers([float(x) if isinstance(x, Varying) else x for x in numbers])


def divided(rules: tuple[Rule | None, ...]) -> tuple[RuleSet, Numbers]:
    """Return the rules of all parameters and, apart from them, the numbers that may change."""
    known = DIVIDED.get(id(rules))  # they are held: no other ones have their id
    if known is not None:
        return known[1:]
    kinds: list[Rule] = []
    places: list[int | None] = []
    for rule in rules:
        place = next((i for i, kind in enumerate(kinds) if equal(rule, kind)), len(kinds))
        if rule is not None and place == len(kinds):
            kinds.append(rule)
        places.append(None if rule is None else place)
    found = RuleSet(tuple(map(bare, kinds)), tuple(places)), tuple(map(numbers_of, kinds))
    DIVIDED.put(id(rules), (rules, *found))
    return found


def equal(x: Any, y: Any) -> bool:
    """Whether two objects say that they are equal, which those that hold arrays cannot."""
    if x is y:
        return True
    if type(x) is not type(y) or type(x).__eq__ is object.__eq__:
        return False
    try:
        return bool(x == y)
    except Exception:  # of an array that is asked whether it is true
        return False
