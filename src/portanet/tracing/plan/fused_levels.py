"""For what a kernel of rows computes a variable, and which reductions it can do."""

from __future__ import annotations

import math
from enum import Enum
from typing import Any

from portanet.tape.ops.words import FLOATS
from portanet.tape.signature import axes_of
from portanet.tracing.plan.fused_words import dtype_name
from portanet.tracing.program import Opaque, Operation, Variable

Shape = tuple[int, ...]

_LONG = 1 << 13  # entries of a row for which one block is enough, however few rows there are
_MANY = 128  # rows from which on blocks keep a device busy, however long the rows are
_WHOLE = 1 << 13  # entries of an array of which one block takes all rows


class Level(Enum):
    """What a kernel of rows computes a variable for."""

    ENTRY = "each entry: the shape of the group"
    KEPT = "each row, with the last axis of length 1"
    DROPPED = "each row, without the last axis"
    ONES_KEPT = "the whole array, with all axes of length 1"
    ONES_DROPPED = "the whole array, with all axes but the last, of length 1"
    TOTAL = "the whole array, without axes"

    @property
    def is_total(self) -> bool:
        return self in (Level.ONES_KEPT, Level.ONES_DROPPED, Level.TOTAL)

    @property
    def is_of_rows(self) -> bool:
        return self in (Level.KEPT, Level.DROPPED)

    def may_read(self, other: Level) -> bool:
        """Whether an operation on this level can have an operand on another one.

        An array without the last axis lies along other axes of one that has it.
        """
        return other is self or other in _BROADCAST[self]

    def shows(self, other: Level) -> bool:
        """Whether a view on this level can show a variable on another one: its numbers in order."""
        pairs = self.is_of_rows and other.is_of_rows, self.is_total and other.is_total
        return other is not Level.ENTRY and (any(pairs) or self.may_read(other))


_BROADCAST = {
    Level.ENTRY: (Level.KEPT, Level.ONES_KEPT, Level.ONES_DROPPED, Level.TOTAL),
    Level.KEPT: (Level.ONES_KEPT, Level.ONES_DROPPED, Level.TOTAL),
    Level.DROPPED: (Level.ONES_DROPPED, Level.TOTAL),
    Level.ONES_KEPT: (Level.ONES_DROPPED, Level.TOTAL),
    Level.ONES_DROPPED: (Level.TOTAL,),
    Level.TOTAL: (),
}


def level_of(shape: Shape, whole: Shape) -> Level | None:
    """Return the level of variables of a shape among rows of another one, None if there is none."""
    outer = whole[:-1]
    known = {
        (1,) * len(outer): Level.ONES_DROPPED,
        (1,) * len(whole): Level.ONES_KEPT,
        (): Level.TOTAL,
        outer: Level.DROPPED,
        (*outer, 1): Level.KEPT,
        whole: Level.ENTRY,
    }
    return known.get(tuple(shape))


def folded(operation: Operation) -> tuple[Variable, bool, bool] | None:
    """Return what an operation reduces, whether along the last axis alone, and whether all of it.

    None if it is no reduction that a kernel of rows can do.
    """
    if operation.card.fold is None or operation.options.keys() - {"axis", "keepdims"}:
        return None
    x, *others = operation.args
    if others or not isinstance(x, Variable) or isinstance(x, Opaque) or not x.shape:
        return None
    dtype, rank = dtype_name(x), len(x.shape)
    if dtype not in FLOATS or dtype != dtype_name(operation.result) or not x.size:
        return None
    axes = {*axes_of(operation.options.get("axis"), rank)}
    return x, axes == {rank - 1}, axes == {*range(rank)}


def has_rows(shape: Shape) -> bool:
    """Whether rows of a shape are worth a kernel that takes them one by one."""
    *outer, length = shape
    return length > 1 and (length <= _LONG or math.prod(outer) >= _MANY)


def fits_a_block(shape: Shape) -> bool:
    """Whether one block can take all rows of a shape, of which there are several."""
    *outer, length = shape
    return math.prod(outer) > 1 and length * math.prod(outer) <= _WHOLE


def is_view(operation: Operation) -> Any:
    """Whether an operation shows the numbers of its first operand in their order."""
    source = operation.args[0] if operation.args else None
    return operation.card.view and operation.card.identity and isinstance(source, Variable)
