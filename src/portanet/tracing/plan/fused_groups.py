"""Which elementwise operations of a program one kernel can do."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from dataclasses import dataclass, field

from portanet.tracing.plan.fused_words import words
from portanet.tracing.program import Operation, Program, Variable, variables

_MOST = 40  # arrays of a kernel: their sizes and strides have to fit into 4 kB of arguments


@dataclass(slots=True, eq=False)
class Group:
    """Operations whose results have one shape, and can be computed at one time.

    Attributes
    ----------
    place : int
        The number of the group among the groups and other operations of its program.
    reads : set of Variable
        What it reads from before.
    open : set of Variable
        Its results that others read.
    """

    place: int
    operations: list[Operation] = field(default_factory=list)
    reads: set[Variable] = field(default_factory=set)
    open: set[Variable] = field(default_factory=set)
    _own: set[Variable] = field(default_factory=set)

    def may_take(self, operation: Operation) -> bool:
        return len(self.reads.union(operation.operands)) + len(self.open) < _MOST

    def take(self, operation: Operation, pending: Counter[Variable]) -> None:
        """Add an operation; `pending` counts the readers of each variable that are not in here."""
        operands = set(operation.operands)
        self.reads |= operands - self._own
        for v in operands & self._own:
            pending[v] -= 1
            if not pending[v]:
                self.open.discard(v)
        self.operations.append(operation)
        self._own.add(operation.result)
        if pending[operation.result]:
            self.open.add(operation.result)


def grouped(program: Program) -> list[Operation | Group]:
    """Return the operations of a program, those that one kernel can do together as a group.

    Each operation joins the first group of its shape that comes after all that it reads: what
    stands between two operations of a chain does not tear it apart.
    """
    pending = Counter(v for operation in program.operations for v in set(operation.operands))
    pending.update(set(variables(tuple(program.outputs))))
    places = dict.fromkeys(program.inputs, -1)
    items: list[Operation | Group] = []
    groups: dict[tuple[int, ...], list[Group]] = {}
    for operation in program.operations:
        if words(operation) is None:
            places[operation.result] = len(items)
            items.append(operation)
            continue
        after = max((places.get(v, -1) for v in operation.operands), default=-1)
        alike = groups.setdefault(tuple(operation.result.shape), [])
        start = bisect_left(alike, after, key=lambda group: group.place)
        group = next((group for group in alike[start:] if group.may_take(operation)), None)
        if group is None:
            group = Group(len(items))
            alike.append(group)
            items.append(group)
        group.take(operation, pending)
        places[operation.result] = group.place
    return items
