"""Operands that are spread over the rows or columns of another one, in kept memory."""

from __future__ import annotations

from typing import Any

import numpy as np

from portanet.tracing.plan.form import copied, form_of
from portanet.tracing.program import Opaque, Operation, Program, Variable

# Bytes of a result up to which it pays: NumPy starts a function on arrays of one shape 0.5 µs
# sooner than on one that it has to spread, and a copy that spreads starts in 0.2. Of float32,
# 32 x 10 take 0.94 and 0.57 µs, 32 x 128 1.6 and 1.0, 64 x 128 2.46 and 2.12, 256 x 64 4.0 both.
LARGEST = 1 << 15


def with_spread_operands(program: Program) -> Program:
    """Copy the smaller of two operands into the shape of both, where that takes less time."""
    operations: list[Operation] = []
    for operation in program.operations:
        i = _spread(operation)
        if i is not None:
            copy = Variable(operation.result.shape, operation.args[i].dtype)
            operations.append(copied(operation.args[i], copy))
            args = [*operation.args]
            args[i] = copy
            operation = Operation(operation.primitive, args, operation.options, operation.result)
        operations.append(operation)
    return Program(program.inputs, operations, program.outputs)


def _spread(operation: Operation) -> int | None:
    """Return the place of an operand that NumPy has to spread, if the only other one is whole."""
    args, shape = operation.args, operation.result.shape
    if len(args) != 2 or not all(map(_is_array, args)) or args[0].dtype != args[1].dtype:
        return None
    sizes = [x.size for x in args]
    i = sizes.index(min(sizes))
    if not 1 < sizes[i] < sizes[1 - i] or args[1 - i].shape != shape:
        return None
    if sizes[1 - i] * np.dtype(args[i].dtype).itemsize > LARGEST:
        return None
    form = form_of(operation)
    return i if form is not None and form.universal else None


def _is_array(x: Any) -> bool:
    return isinstance(x, Variable) and not isinstance(x, Opaque)
