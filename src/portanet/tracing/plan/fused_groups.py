"""Which operations of a program one kernel can do."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from portanet.tracing.plan.fused_levels import (
    Level,
    Shape,
    fits_a_block,
    folded,
    has_rows,
    is_view,
    level_of,
)
from portanet.tracing.plan.fused_words import words
from portanet.tracing.program import Operation, Program, Variable, variables

_MOST = 40  # arrays of a kernel: their sizes and strides have to fit into 4 kB of arguments
_MOST_TOTALS = 2  # each takes another turn through all rows


@dataclass(slots=True, eq=False)
class Group:
    """Operations on arrays of one shape that can be computed at one time.

    Attributes
    ----------
    place : int
        The number of the group among the groups and other operations of its program.
    shape : tuple of int
    reads : set of Variable
        What it reads from before.
    open : set of Variable
        Its results that others read.
    levels : dict
        The `Level` of each result.
    folds : set of Operation
        Reductions. Without any, all results have the shape of the group.
    views : set of Operation
        What shows a result of reductions in another shape.
    """

    place: int
    shape: Shape
    operations: list[Operation] = field(default_factory=list)
    reads: set[Variable] = field(default_factory=set)
    open: set[Variable] = field(default_factory=set)
    levels: dict[Variable, Level] = field(default_factory=dict)
    folds: set[Operation] = field(default_factory=set)
    views: set[Operation] = field(default_factory=set)

    @property
    def totals(self) -> list[Operation]:
        """The reductions of all rows together, for which one block takes all of them."""
        return [x for x in self.operations if x in self.folds and self.levels[x.result].is_total]

    def level(self, shape: Shape) -> Level | None:
        """Return the level of results of a shape; None for one that does not belong here."""
        level = level_of(shape, self.shape)
        return level if self.folds or level is Level.ENTRY else None

    def may_take(self, operation: Operation) -> bool:
        """Whether an operation with words belongs here."""
        operands = set(operation.operands)
        level, own = self.level(operation.result.shape), operands & self.levels.keys()
        if level is None or len(self.reads | operands) + len(self.open) >= _MOST:
            return False
        if level.is_total and not own:
            return False
        return all(level.may_read(self.levels[v]) for v in own)

    def may_fold(self, operation: Operation, x: Variable, last: bool, whole: bool) -> bool:
        """Whether a reduction of `x` belongs here: of rows, or else of what is known here."""
        own, level = self.levels.get(x), level_of(operation.result.shape, self.shape)
        of_entries = own in (None, Level.ENTRY)
        if level is None or (of_entries and tuple(x.shape) != self.shape):
            return False
        if own is not None and own.is_total:
            return False
        if last and of_entries and has_rows(self.shape):
            return True
        return (
            whole
            and (own is not None or x in self.reads)
            and level.is_total
            and fits_a_block(self.shape)
            and len(self.totals) < _MOST_TOTALS
        )

    def take(self, operation: Operation, pending: Counter[Variable]) -> None:
        """Add an operation; `pending` counts the readers of each variable that are not in here."""
        operands = set(operation.operands)
        self.reads |= operands - self.levels.keys()
        for v in operands & self.levels.keys():
            pending[v] -= 1
            if not pending[v]:
                self.open.discard(v)
        self.operations.append(operation)
        level = self.level(operation.result.shape)
        assert level is not None
        self.levels[operation.result] = level
        if pending[operation.result]:
            self.open.add(operation.result)

    def give_up_views(self) -> list[Operation]:
        """Remove the views that only others read, if the kernel writes less for it; return them."""
        given_up = []
        for operation in reversed(self.operations):
            source, y = operation.args[0], operation.result
            inside = any(y in x.operands for x in self.operations)
            if operation not in self.views or inside:
                continue
            if source in self.open or self.levels[y] is Level.ENTRY:
                given_up.insert(0, operation)
                self.operations.remove(operation)
                self.open.discard(y)
                self.open.add(source)
        return given_up


def grouped(program: Program) -> list[Operation | Group]:
    """Return the operations of a program, those that one kernel can do together as a group.

    Each operation joins the first group of its shape that comes after all that it reads: what
    stands between two operations of a chain does not tear it apart. Reductions, and what is
    computed of their results, join the group of what is reduced.
    """
    return _Grouping(program).items


class _Grouping:
    def __init__(self, program: Program) -> None:
        self._pending = Counter(v for x in program.operations for v in set(x.operands))
        self._pending.update(set(variables(tuple(program.outputs))))
        self._places = dict.fromkeys(program.inputs, -1)
        self._groups: dict[Shape, list[Group]] = {}
        self.items: list[Operation | Group] = []
        for operation in program.operations:
            group = self._joined(operation)
            self._places[operation.result] = len(self.items) if group is None else group.place
            if group is None:
                self.items.append(operation)

    def _joined(self, operation: Operation) -> Group | None:
        """Let an operation join a group, or begin one; return it, None if it stays alone."""
        after = max((self._places.get(v, -1) for v in operation.operands), default=-1)
        group = None
        if words(operation) is not None:
            shape = tuple(operation.result.shape)
            group = next((g for g in self._after(shape, after) if g.may_take(operation)), None)
            group = group or self._new(shape)
        elif operation.card.fold is not None:
            group = self._folded(operation, after)
        elif is_view(operation):
            group = self._shown(operation, after)
        if group is not None:
            group.take(operation, self._pending)
        return group

    def _folded(self, operation: Operation, after: int) -> Group | None:
        """Return the group that a reduction joins, which then may have results of its shapes."""
        found = folded(operation)
        if found is None:
            return None
        x, last, whole = found
        shape = tuple(x.shape)
        alike = self._after(shape, after)
        group = next((group for group in alike if group.may_fold(operation, *found)), None)
        if group is None:
            if not (last and has_rows(shape)) and not (whole and fits_a_block(shape)):
                return None
            group = self._new(shape)
        if not group.folds:
            outer, ones = group.shape[:-1], (1,) * len(group.shape)
            self._list(group, [(*outer, 1), outer, ones, ones[1:], ()])
        group.folds.add(operation)
        return group

    def _shown(self, operation: Operation, place: int) -> Group | None:
        """Return the group of what an operation shows in another shape, if it can do so too."""
        group = self.items[place] if place >= 0 else None
        if not isinstance(group, Group):
            return None
        own, level = group.levels.get(operation.args[0]), group.level(operation.result.shape)
        if own is None or level is None or not level.shows(own):
            return None
        group.views.add(operation)
        return group

    def _after(self, shape: Shape, place: int) -> Iterable[Group]:
        """Yield the groups to which results of a shape may belong, from a place on."""
        alike = self._groups.get(shape, [])
        return alike[bisect_left(alike, place, key=lambda group: group.place) :]

    def _new(self, shape: Shape) -> Group:
        group = Group(len(self.items), shape)
        self.items.append(group)
        self._list(group, [shape])
        return group

    def _list(self, group: Group, shapes: Iterable[Shape]) -> None:
        for shape in shapes:
            alike = self._groups.setdefault(shape, [])
            if group not in alike:
                alike.insert(bisect_left(alike, group.place, key=lambda g: g.place), group)
