"""How each primitive runs on a whole batch at once.

The tables mirror those of `tape.rules`. A rule that the tables do not name is found by the kind of
its derivative: an `Elementwise` function stays one. Anything else runs entry by entry.
"""

from __future__ import annotations

from typing import Any

from portanet.tape.batching import (
    constants,
    custom,
    elementwise,
    indexing,
    linalg,
    manipulation,
    products,
    reductions,
    windows,
)
from portanet.tape.batching._parts import Finished, Rule, copies, loop, map_results, natural
from portanet.tape.custom import CustomRule
from portanet.tape.rule import Elementwise

__all__ = ["RULES", "Finished", "copies", "map_results", "rule_of"]

RULES: dict[str, Rule] = {
    **constants.RULES,
    **elementwise.RULES,
    **indexing.RULES,
    **linalg.RULES,
    **manipulation.RULES,
    **products.RULES,
    **reductions.RULES,
    **windows.RULES,
    "part": natural,
}


def rule_of(primitive: Any) -> Rule:
    """Return the batching rule of a primitive."""
    if isinstance(primitive.rule, CustomRule):
        return custom.rule
    rule = RULES.get(primitive.name)
    if rule is None:
        rule = elementwise.elementwise if isinstance(primitive.rule, Elementwise) else loop
    return rule
