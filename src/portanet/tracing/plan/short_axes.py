"""Short last axes put first: NumPy starts a loop anew for each row of what it has to spread."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from portanet.tape.ops.batching import over_axes
from portanet.tape.ops.table import CARDS
from portanet.tape.rule import Elementwise
from portanet.tape.signature import axes_of
from portanet.tracing.plan.form import copied, permuted, reshaped
from portanet.tracing.program import Operation, Program, Variable, variables

# The differences of n points in d dimensions, as (n, n, d) and as (d, n, n): 362 and 84 µs for n of
# 200 and d of 4, 586 and 354 for 200 and 16, 10.3 and 4.1 for 32 and 4, 3.1 and 2.2 for 16 and 4,
# 4.7 and 4.8 for 16 and 16, 97 and 78 for 64 and 32.
SHORT, LONG, ROWS = 16, 16, 256
"""The longest last axis, the shortest one before it and the fewest rows for which that pays."""
_SMALL = 4  # times an operand of another shape has to be smaller, as it is copied

Shape = tuple[int, ...]


def with_short_axes_first(program: Program) -> Program:
    """Lay out arrays like (n, n, 3) as (3, n, n), where all that computes and reads them allows it.

    These are results of elementwise operations on what has to be spread, and are read by other such
    operations and by reductions.
    """
    group = _group(program)
    if not group:
        return program
    writer = _Writer(group)
    for operation in program.operations:
        writer.add(operation)
    return Program(program.inputs, writer.operations, program.outputs)


def _group(program: Program) -> set[Variable]:
    """Return the results that change their layout, all or none of an elementwise operation's."""
    group = {op.result for op in program.operations if _is_short(op.result.shape)}
    group.difference_update(variables(tuple(program.outputs)))
    size = -1
    while group and size != len(group):
        size = len(group)
        for operation in program.operations:
            group -= _kept(operation, group)
    return group


def _is_short(shape: Shape) -> bool:
    if len(shape) < 2 or not 1 < shape[-1] <= SHORT:
        return False
    return shape[-2] >= LONG and math.prod(shape[:-1]) >= ROWS


def _kept(operation: Operation, group: set[Variable]) -> set[Variable]:
    """Return those of an operation's variables that have to stay as they are."""
    result, operands = operation.result, operation.operands
    if _is_elementwise(operation):
        whole = {x for x in operands if x.shape == result.shape} | {result}
        small = all(_is_small(x, result) for x in operands if x not in whole)
        return set(operands) - whole if small and whole <= group else {*operands, result}
    if _is_reduction(operation):
        return {result}
    return set(operands) if operation.card is _BROADCAST else {*operands, result}


def _is_elementwise(operation: Operation) -> bool:
    card = operation.card
    universal = isinstance(card.numpy, str) or card.words is not None
    return universal or isinstance(card.rule, Elementwise)


def _is_small(x: Variable, result: Variable) -> bool:
    """Whether an operand has no last axis to be put first, or is small enough to be copied."""
    return x.shape[-1:] in ((), (1,)) or x.size * _SMALL <= result.size


def _is_reduction(operation: Operation) -> bool:
    return operation.card.batching is over_axes and len(operation.operands) == 1


_BROADCAST = CARDS["broadcast_to"]


class _Writer:
    """Writes a program with the arrays of a group in their other layout.

    Attributes
    ----------
    operations : list of Operation
    """

    def __init__(self, group: set[Variable]) -> None:
        self.operations: list[Operation] = []
        self._moved = {v: Variable(_first(v.shape), v.dtype) for v in group}
        self._small: dict[tuple[Variable, int], Variable] = {}

    def add(self, operation: Operation) -> None:
        if operation.result in self._moved:
            self._compute(operation)
        elif any(x in self._moved for x in operation.operands):
            self._reduce(operation)
        else:
            self.operations.append(operation)

    def _compute(self, operation: Operation) -> None:
        """Compute a result of the group, of operands with their last axes first."""
        result, rank = self._moved[operation.result], len(operation.result.shape)
        if operation.card is _BROADCAST:
            x = self._operand(operation.args[0], rank)
            args, seen = [x, result.shape], tuple(variables(x))
        else:
            args, seen = [self._operand(x, rank) for x in operation.args], ()
        self.operations.append(
            Operation(operation.primitive, args, operation.options, result, seen)
        )

    def _operand(self, x: Any, rank: int) -> Any:
        shape = getattr(x, "shape", ())
        if not shape:
            return x
        shape = (1,) * (rank - len(shape)) + shape
        if not isinstance(x, Variable):
            return np.ascontiguousarray(np.moveaxis(np.reshape(x, shape), -1, 0))
        if x in self._moved:
            return self._moved[x]
        if (x, rank) not in self._small:
            self._small[x, rank] = self._laid_out(x, shape)
        return self._small[x, rank]

    def _laid_out(self, x: Variable, shape: Shape) -> Variable:
        """Lay out an array, seen in a shape, with its last axis first."""
        rank = len(shape)
        if x.size in (shape[-1], math.prod(shape[:-1])):  # only one of the two parts has axes
            return self._made(x, _first(shape), reshaped)
        if shape != x.shape:
            x = self._made(x, shape, reshaped)
        over = self._made(x, _first(shape), permuted, (rank - 1, *range(rank - 1)))
        return self._made(over, over.shape, copied)

    def _made(self, x: Variable, shape: Shape, make: Callable[..., Operation], *how: Any) -> Any:
        result = Variable(shape, x.dtype)
        self.operations.append(make(x, result, *how))
        return result

    def _reduce(self, operation: Operation) -> None:
        """Reduce an array of the group; what keeps its last axis gets that back at its place."""
        x, result, options = operation.args[0], operation.result, operation.options
        rank, axis = len(x.shape), options.get("axis")
        axes = axes_of(axis, rank)
        moved = tuple(sorted((i + 1) % rank for i in axes))
        options = options if axis is None else {**options, "axis": moved}
        back = len(result.shape) > 1 and (rank - 1 not in axes or options.get("keepdims"))
        y = Variable(_first(result.shape), result.dtype) if back else result
        self.operations.append(Operation(operation.primitive, [self._moved[x]], options, y))
        if back:
            order = (*range(1, len(y.shape)), 0)
            over = self._made(y, result.shape, permuted, order)
            self.operations.append(copied(over, result))


def _first(shape: Shape) -> Shape:
    return (*shape[-1:], *shape[:-1])
