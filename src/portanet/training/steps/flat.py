"""A training state kept as vectors between its steps.

One operation on a vector costs less than one on each small array. A training state cuts its trees
out of the vectors when somebody asks for them.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from portanet.training.state import TrainState
from portanet.training.steps.layout import Layout, Layouts, layout_of
from portanet.training.steps.rules import bare, numbers_of


@dataclass(frozen=True, slots=True, eq=False)
class Flat:
    """How a training state is kept as vectors; the vectors themselves lie beside it.

    Parameters
    ----------
    layout : Layout or Layouts
    rule : Rule, or tuple of Rule
        The rule with its numbers; of several groups, that of each.
    numbers : tuple of float, or tuple of tuples
        What varies in the rule.
    place : Place, optional
        Where the last step was found: that of the next one, as a rule.
    """

    layout: Layout | Layouts
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
        rule, numbers = layout.rule_of(ts.optimizer_state)
        return cls(layout, rule, numbers), *layout.flatten(ts)

    def after(
        self,
        old: dict[str, Any],
        states: Any,
        vector: Any,
        rule_state: Any,
        place: Any,
        steps: int = 1,
    ) -> TrainState:
        """Return the training state some steps after the one with the fields `old`, kept flat."""
        new = object.__new__(TrainState)
        fields = new.__dict__  # which Python fills sooner than it puts another dict in its place
        fields["model"] = old["model"]
        fields["optimizer"] = old["optimizer"]
        fields["step"] = old["step"] + steps
        fields["states"] = states
        fields["flat"] = self if self.place is place else replace(self, place=place)
        fields["vector"] = vector
        fields["rule_state"] = rule_state
        return new
