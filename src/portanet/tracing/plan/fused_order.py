"""When a kernel of rows can compute its variables: in which turn, and after which pass."""

from __future__ import annotations

from collections.abc import Iterable

from portanet.tracing.plan.fused_groups import Group
from portanet.tracing.plan.fused_levels import Level
from portanet.tracing.program import Operation, Variable


class Order:
    """When the variables of a group can be computed.

    Attributes
    ----------
    at : dict
        For each variable the turns through all rows, and the passes over a row, before it can be.
    turns : int
    """

    def __init__(self, group: Group) -> None:
        self._group = group
        self.at: dict[Variable, tuple[int, int]] = {}
        for operation in group.operations:
            places = [self.at.setdefault(v, (0, 0)) for v in operation.operands] or [(0, 0)]
            turn, number = (max(part) for part in zip(*places, strict=True))
            if group.levels[operation.result].is_total:
                turn, number = turn + (operation in group.folds), 0
            elif operation in group.folds:
                number += 1
            self.at[operation.result] = turn, number
        self.turns = max(turn for turn, _ in self.at.values()) + 1

    def reads_at(self, fold: Operation) -> tuple[int, int]:
        return self.at[fold.args[0]]

    def needed(self, wanted: Iterable[Variable], level: Level | None = None) -> list[Operation]:
        """Return the operations by which variables are computed in a turn, in their order.

        With `level` those up to the first results on other levels.
        """
        needed, found = set(wanted), []
        for operation in reversed(self._group.operations):
            own = self._group.levels[operation.result]
            if operation.result in needed and (own is level if level else not own.is_total):
                needed.update(operation.operands)
                found.append(operation)
        return found[::-1]
