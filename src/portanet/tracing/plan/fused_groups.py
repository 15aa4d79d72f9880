"""Which operations of a program one kernel can do."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import Enum

from portanet.tape.ops.words import FLOATS
from portanet.tape.signature import axes_of
from portanet.tracing.plan.fused_words import dtype_name, words
from portanet.tracing.program import Opaque, Operation, Program, Variable, variables

_MOST = 40  # arrays of a kernel: their sizes and strides have to fit into 4 kB of arguments
_MOST_FOLDS = 8  # reductions of a kernel: each has 2 kB of a block's memory, which holds 48
_LONG = 1 << 13  # entries of a row for which one block is enough, however few rows there are
_MANY = 128  # rows from which on blocks keep a device busy, however long the rows are


class Level(Enum):
    """What a kernel of rows computes a variable for."""

    ENTRY = "each entry: the shape of the group"
    KEPT = "each row, with the last axis of length 1"
    DROPPED = "each row, without the last axis"


_SPREAD = Level.ENTRY, Level.KEPT


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
        Reductions of the last axis. Without any, all results have the shape of the group.
    views : set of Operation
        What shows a result for each row in another shape.
    """

    place: int
    shape: tuple[int, ...]
    operations: list[Operation] = field(default_factory=list)
    reads: set[Variable] = field(default_factory=set)
    open: set[Variable] = field(default_factory=set)
    levels: dict[Variable, Level] = field(default_factory=dict)
    folds: set[Operation] = field(default_factory=set)
    views: set[Operation] = field(default_factory=set)

    def level(self, shape: tuple[int, ...]) -> Level | None:
        """Return the level of results of a shape; None for one that does not belong here."""
        if shape == self.shape:
            return Level.ENTRY
        if not self.folds:
            return None
        if shape == (*self.shape[:-1], 1):
            return Level.KEPT
        return Level.DROPPED if shape == self.shape[:-1] else None

    def may_take(self, operation: Operation) -> bool:
        """Whether an operation with words belongs here."""
        operands = set(operation.operands)
        if len(self.reads | operands) + len(self.open) >= _MOST:
            return False
        level, own = self.level(operation.result.shape), operands & self.levels.keys()
        if not own and level is not Level.ENTRY:
            return False
        others = {self.levels[v] for v in own} - {level}
        # An array without the last axis lies along other axes of one that has it.
        return level is not None and (not others or (level, *others) == _SPREAD)

    def may_fold(self, operation: Operation) -> bool:
        """Whether a reduction of the last axis belongs here: of what is here, or read here too."""
        (x,) = operation.operands
        if tuple(x.shape) != self.shape:
            return False
        return (x in self.levels or x in self.reads) and len(self.folds) < _MOST_FOLDS

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

    def fold(self, operation: Operation, pending: Counter[Variable]) -> None:
        """Add a reduction of the last axis."""
        self.folds.add(operation)
        self.take(operation, pending)

    def show(self, operation: Operation, pending: Counter[Variable]) -> None:
        """Add a view of a result for each row."""
        self.views.add(operation)
        self.take(operation, pending)

    def give_up_views(self) -> list[Operation]:
        """Remove the views that only others read, and return them: they copy nothing."""
        given_up = []
        for operation in reversed(self.operations):
            inside = any(operation.result in x.operands for x in self.operations)
            if operation in self.views and not inside:
                given_up.insert(0, operation)
                self.operations.remove(operation)
                self.open.discard(operation.result)
                self.open.add(operation.args[0])
        return given_up


def grouped(program: Program) -> list[Operation | Group]:
    """Return the operations of a program, those that one kernel can do together as a group.

    Each operation joins the first group of its shape that comes after all that it reads: what
    stands between two operations of a chain does not tear it apart. Reductions of the last axis
    and what is computed of them once a row join the group that they belong to.
    """
    return _Grouping(program).items


class _Grouping:
    def __init__(self, program: Program) -> None:
        self._pending = Counter(v for x in program.operations for v in set(x.operands))
        self._pending.update(set(variables(tuple(program.outputs))))
        self._places = dict.fromkeys(program.inputs, -1)
        self._groups: dict[tuple[int, ...], list[Group]] = {}
        self.items: list[Operation | Group] = []
        for operation in program.operations:
            group = self._joined(operation)
            if group is None:
                self._places[operation.result] = len(self.items)
                self.items.append(operation)
            else:
                self._places[operation.result] = group.place

    def _joined(self, operation: Operation) -> Group | None:
        """Let an operation join a group, or begin one; return it, None if it stays alone."""
        after = max((self._places.get(v, -1) for v in operation.operands), default=-1)
        if words(operation) is not None:
            shape = tuple(operation.result.shape)
            group = next((g for g in self._after(shape, after) if g.may_take(operation)), None)
            group = group or self._new(shape)
            group.take(operation, self._pending)
            return group
        if is_fold(operation):
            shape = tuple(operation.args[0].shape)
            group = next((g for g in self._after(shape, after) if g.may_fold(operation)), None)
            group = group or self._new(shape)
            first = not group.folds
            group.fold(operation, self._pending)
            if first:
                self._list(group, [(*shape[:-1], 1), shape[:-1]])
            return group
        item = self.items[after] if after >= 0 else None
        if isinstance(item, Group) and _is_view(operation, item):
            item.show(operation, self._pending)
            return item
        return None

    def _after(self, shape: tuple[int, ...], place: int) -> Iterable[Group]:
        """Yield the groups to which results of a shape may belong, from a place on."""
        alike = self._groups.get(shape, [])
        return alike[bisect_left(alike, place, key=lambda group: group.place) :]

    def _new(self, shape: tuple[int, ...]) -> Group:
        group = Group(len(self.items), shape)
        self.items.append(group)
        self._list(group, [shape])
        return group

    def _list(self, group: Group, shapes: Iterable[tuple[int, ...]]) -> None:
        for shape in shapes:
            alike = self._groups.setdefault(shape, [])
            alike.insert(bisect_left(alike, group.place, key=lambda g: g.place), group)


def is_fold(operation: Operation) -> bool:
    """Whether an operation reduces the last axis of an array as a kernel of rows can."""
    if operation.card.fold is None or operation.options.keys() - {"axis", "keepdims"}:
        return False
    x, *others = operation.args
    if others or not isinstance(x, Variable) or isinstance(x, Opaque) or not x.shape:
        return False
    if dtype_name(x) not in FLOATS or dtype_name(x) != dtype_name(operation.result):
        return False
    *outer, length = x.shape
    last = axes_of(operation.options.get("axis"), len(x.shape)) == (len(x.shape) - 1,)
    return last and length > 1 and (length <= _LONG or math.prod(outer) >= _MANY)


def _is_view(operation: Operation, group: Group) -> bool:
    """Whether an operation shows what a group computes once a row in another shape of the same."""
    if not (operation.card.view and operation.card.identity):
        return False
    source, level = operation.args[0], group.level(operation.result.shape)
    if not isinstance(source, Variable) or level is None:
        return False
    own = group.levels.get(source)
    if own is None or own is Level.ENTRY:
        return False
    return own is Level.KEPT if level is Level.ENTRY else operation.result.size == source.size
