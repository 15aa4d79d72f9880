"""A training state kept as vectors between its steps.

One operation on a vector costs less than one on each small array. A training state cuts its trees
out of the vectors when somebody asks for them.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from portanet.optimizers import OptimizerState
from portanet.training.layout import Layout, Layouts, layout_of
from portanet.training.rules import bare, numbers_of
from portanet.training.state import TrainState


@dataclass(slots=True, eq=False)
class Flat:
    """The parameters and the optimizer's state of a training state as vectors.

    Parameters
    ----------
    layout : Layout or Layouts
    rule : Rule, or tuple of Rule
        The rule with its numbers; of several groups, that of each.
    numbers : tuple of float, or tuple of tuples
        What varies in the rule.
    vector : array, or tuple of arrays
    rule_state : tree, or tuple of trees
    place : Place, optional
        Where the step that made it was found: that of the next one, as a rule.
    """

    layout: Layout | Layouts
    rule: Any
    numbers: tuple[Any, ...]
    vector: Any
    rule_state: Any
    place: Any = None

    def parameters(self) -> Any:
        return self.layout.parameters(self.vector)

    def optimizer_state(self) -> OptimizerState:
        return self.layout.optimizer_state(self.rule, self.rule_state)

    def with_rule(self, rule: Any) -> Flat | None:
        """Return this with other numbers in the rule, None if it is another one besides."""
        if bare(rule) != self.layout.rule:
            return None
        return replace(self, rule=rule, numbers=numbers_of(rule))

    @classmethod
    def of(cls, ts: TrainState) -> Flat | None:
        """Return what a training state keeps flat, or could keep."""
        flat = ts.__dict__.get("flat")
        if flat is not None and ts.is_as_shown():
            return flat
        layout = layout_of(ts)
        if layout is None:
            return None
        assert ts.optimizer_state is not None
        rule, numbers = layout.rule_of(ts.optimizer_state)
        return cls(layout, rule, numbers, *layout.flatten(ts))

    def after(
        self, ts: TrainState, states: Any, vector: Any, rule_state: Any, place: Any, steps: int = 1
    ) -> TrainState:
        """Return the training state some steps after `ts`, kept flat."""
        old = ts.__dict__
        flat = Flat(self.layout, self.rule, self.numbers, vector, rule_state, place)
        new = object.__new__(TrainState)
        fields = {
            "model": old["model"],
            "optimizer": old["optimizer"],
            "step": old["step"] + steps,
            "states": states,
            "flat": flat,
        }
        object.__setattr__(new, "__dict__", fields)
        return new
