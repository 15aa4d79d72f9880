"""A program in the words of another library of the standard, for batches of every size."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from portanet.errors import ArgumentError
from portanet.export._sizes import Counted, Repeated, Size
from portanet.tape.ops.card import Role
from portanet.tracing.loops.branch import Branch
from portanet.tracing.loops.loop import Loop
from portanet.tracing.loops.while_loop import While
from portanet.tracing.program import Operation, Program, Variable

OPERATORS: Mapping[str, Callable[..., Any]] = {
    "add": operator.add, "subtract": operator.sub, "multiply": operator.mul,
    "divide": operator.truediv, "floor_divide": operator.floordiv, "remainder": operator.mod,
    "matmul": operator.matmul, "pow": operator.pow, "equal": operator.eq,
    "not_equal": operator.ne, "less": operator.lt, "less_equal": operator.le,
    "greater": operator.gt, "greater_equal": operator.ge, "negative": operator.neg,
}  # fmt: skip


Word = Callable[["Interpreter", Operation, list[Any], dict[str, Any]], Any]
"""How an operation is done, given its arguments as the library takes them."""

_REFUSED = AttributeError, IndexError, NotImplementedError, TypeError, ValueError


class Interpreter:
    """Runs a program on arrays of a library whose shapes may be unknown.

    Parameters
    ----------
    xp : namespace
    size : array or None
        The size of the batch, an integer of the library.
    words : mapping
        How operations are done whose names `xp` does not have, or which it does otherwise.
    """

    def __init__(self, xp: Any, size: Any, words: Mapping[str, Word]) -> None:
        self.xp = xp
        self.size = size
        self.words = words
        self.values: dict[Variable, Any] = {}

    def run(self, program: Program, inputs: Sequence[Any]) -> list[Any]:
        """Return the outputs of a program."""
        self.values.update(zip(program.inputs, inputs, strict=True))
        for operation in program.operations:
            self.values[operation.result] = self._evaluated(operation)
        return [self.value(y) for y in program.outputs]

    def value(self, x: Any) -> Any:
        """Return an argument as the library takes it."""
        if isinstance(x, Variable):
            return self.values[x]
        if isinstance(x, Size):
            return x(self.size)
        if isinstance(x, Repeated):
            return self.xp.broadcast_to(self.xp.asarray(x.array), self.shape(x.shape))
        if isinstance(x, Counted):
            numbers = self.xp.reshape(self.xp.arange(x.size(self.size)), _with_one_free(x.places))
            numbers = self.xp.astype(numbers, self.dtype(x.start.dtype))
            return self.xp.asarray(x.start) + self.xp.asarray(x.step) * numbers
        if isinstance(x, np.ndarray | np.generic):
            return self.xp.asarray(np.asarray(x))
        if isinstance(x, np.dtype):
            return self.dtype(x)
        if isinstance(x, slice):
            return slice(*map(self.value, (x.start, x.stop, x.step)))
        if type(x) in (tuple, list):
            return type(x)(map(self.value, x))
        return x

    def dtype(self, dtype: Any) -> Any:
        """Return the library's dtype of the name of NumPy's."""
        return getattr(self.xp, np.dtype(dtype).name)

    def shape(self, sizes: Sequence[Any]) -> Any:
        """Return a shape: an array of the library where sizes vary."""
        if not any(isinstance(n, Size) for n in sizes):
            return tuple(sizes)
        return self.xp.stack([self.xp.asarray(self.value(n)) for n in sizes])

    def _evaluated(self, operation: Operation) -> Any:
        primitive = operation.primitive
        if isinstance(primitive, Loop):
            return self._loop(primitive, [self.value(x) for x in operation.args])
        if isinstance(primitive, Branch):
            return self._branch(primitive, [self.value(x) for x in operation.args])
        if isinstance(primitive, While):
            raise ArgumentError(
                "while_loop goes on for as long as values say, which cannot be exported here: "
                "a scan of a fixed number of steps can"
            )
        if operation.card.role is Role.PART:
            return self.values[operation.args[0]][operation.args[1]]
        word = self.words.get(operation.name)
        if word is None:
            word = self._own(operation)
        args = [self.value(x) for x in operation.args]
        options = {k: self.value(x) for k, x in operation.options.items() if k != "device"}
        try:
            return word(self, operation, args, options)
        except _REFUSED as error:
            raise ArgumentError(
                f"{self.xp.__name__} does not do {operation.name!r} as the exported function "
                f"calls it: {type(error).__name__} {error}"
            ) from error

    def _own(self, operation: Operation) -> Word:
        """Return what the library itself has for an operation."""
        function = OPERATORS.get(operation.name) or found(self.xp, operation.name)
        if function is None:
            raise ArgumentError(
                f"{self.xp.__name__} has no {operation.name!r}, which the exported function calls"
            )
        return lambda run, operation, args, options: function(*args, **options)

    def _loop(self, loop: Loop, operands: Sequence[Any]) -> list[Any]:
        """Take the steps of a loop one after the other."""
        constants, carry, columns = loop.grouped(operands)
        steps = range(loop.length)
        stacks: list[list[Any]] = []
        sums: list[Any] = []
        a, b = len(loop.last), len(loop.last) + len(loop.stacked)
        for i in reversed(steps) if loop.backwards else steps:
            rows = [column[i, ...] for column in columns]
            outputs = self.run(loop.programs[0], [*constants, *carry, *rows])
            carry = outputs[:a]
            stacks.append(outputs[a:b])
            sums = [x + y for x, y in zip(sums, outputs[b:], strict=True)] or outputs[b:]
        if loop.backwards:
            stacks.reverse()
        stacked = [self.xp.stack(list(column)) for column in zip(*stacks, strict=True)]
        return [*carry, *stacked, *sums]

    def _branch(self, branch: Branch, operands: Sequence[Any]) -> list[Any]:
        """Compute both sides, and choose."""
        one, other = (self.run(side, operands[1:]) for side in branch.sides)
        pairs = zip(one, other, strict=True)
        return [self.xp.where(operands[0], x, y) for x, y in pairs]


def _with_one_free(shape: Sequence[Any]) -> tuple[int, ...]:
    return tuple(-1 if isinstance(n, Size) else n for n in shape)


def found(xp: Any, path: str) -> Any:
    """Return a function of a namespace, None where there is none of that name."""
    for part in path.split("."):
        xp = getattr(xp, part, None)
    return xp if callable(xp) else None
