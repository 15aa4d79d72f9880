"""Rules whose hyperparameters follow schedules."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from portanet.errors import HyperparameterError, shown
from portanet.optimizers.base import (
    Array,
    Rule,
    RuleState,
    apply_rules,
    number_at,
    with_fields,
)
from portanet.optimizers.wrappers import Wrapper
from portanet.tracing.record.host import Counter

Schedule = Callable[[int], float]


@dataclass(frozen=True, init=False, repr=False)
class Scheduler(Wrapper):
    """A rule whose hyperparameters are functions of the step.

    Parameters
    ----------
    rule : Rule
        The rule that is scheduled. In a chain, each member is scheduled by itself.
    **schedules
        A schedule for each hyperparameter by name: a function of the number of steps so far, such
        as those of `portanet.optimizers.schedules`, that can be hashed.

    Raises
    ------
    HyperparameterError
        If the rule has no such number, or the first value of a schedule lies outside its range.

    Notes
    -----
    Each parameter counts its own steps: one that is frozen does not go on. A training step that
    is recorded calls the schedule at each replay; it is not recorded anew. Later values of a
    schedule are not checked. `portanet.optimizers.adjust` reaches the fields that have none.

    Examples
    --------
    >>> import numpy as np
    >>> import portanet as pn
    >>> halving = pn.optimizers.schedules.ExponentialDecay(1.0, decay=0.5)
    >>> rule = pn.optimizers.Scheduler(pn.optimizers.SGD(), lr=halving)
    >>> ps = {"weight": np.asarray([4.0])}
    >>> state = pn.optimizers.setup(rule, ps)
    >>> for _ in range(3):
    ...     state, ps = pn.optimizers.update(state, ps, {"weight": np.asarray([1.0])})
    >>> ps
    {'weight': array([2.25])}
    """

    schedules: tuple[tuple[str, Schedule], ...]

    def __init__(self, rule: Rule, **schedules: Schedule) -> None:
        if not isinstance(rule, Rule) or not dataclasses.is_dataclass(rule):
            raise HyperparameterError(
                f"Scheduler: rule is one such as pn.optimizers.Adam(): got {shown(rule)}"
            )
        values = {field.name: getattr(rule, field.name) for field in dataclasses.fields(rule)}
        for name, schedule in schedules.items():
            value = values.get(name)
            if isinstance(value, bool) or not isinstance(value, int | float):
                inner = ": put the Scheduler around the rule inside that has it"
                several = isinstance(rule, Wrapper) or hasattr(rule, "rules")
                raise HyperparameterError(
                    f"Scheduler: {name} is no number of {rule!r}{inner if several else ''}"
                )
            if not callable(schedule):
                raise HyperparameterError(
                    f"Scheduler: {name} is a function of the step: got {shown(schedule)}"
                )
        first = {name: schedule(0) for name, schedule in schedules.items()}
        object.__setattr__(self, "rule", dataclasses.replace(rule, **first))
        object.__setattr__(self, "schedules", tuple(sorted(schedules.items())))

    def __repr__(self) -> str:
        options = "".join(f", {name}={schedule!r}" for name, schedule in self.schedules)
        return f"Scheduler({self.rule!r}{options})"

    def numbers(self) -> tuple[float, ...]:
        return ()

    def with_numbers(self, numbers: Sequence[Any]) -> Any:
        return self

    def init(self, x: Array) -> RuleState:
        return Counter(0), self.rule.init(x)

    @classmethod
    def apply_all(
        cls,
        rules: Sequence[Any],
        states: Sequence[RuleState],
        xs: Sequence[Array],
        gs: Sequence[Array],
    ) -> tuple[list[RuleState], list[Array]]:
        steps, inner = zip(*states, strict=True)
        now: list[Any] = []
        for rule, step in zip(rules, steps, strict=True):
            # What schedules the same is the same rule, which some libraries apply to all at once.
            known = rule is rules[0] and step is steps[0] and now
            now.append(now[0] if known else rule._at(step))
        inner, dx = apply_rules(now, inner, xs, gs)
        return [(t + 1, s) for t, s in zip(steps, inner, strict=True)], dx

    def _at(self, step: Any) -> Any:
        """Return the rule with its hyperparameters at a step."""
        numbers = {name: number_at(step, schedule) for name, schedule in self.schedules}
        return with_fields(self.rule, numbers)
