"""Products of one row with a matrix that is turned over: of the matrix itself and a vector."""

from __future__ import annotations

from typing import Any

from portanet.tape.ops.card import Role
from portanet.tracing.plan.form import flattened, reshaped
from portanet.tracing.plan.transposes import is_transpose
from portanet.tracing.program import Operation, Program, Variable


def with_row_products(program: Program) -> Program:
    """Write ``x y^T`` with one row `x` as ``y x``, for which nothing has to be turned over."""
    made = {operation.result: operation for operation in program.operations}
    operations: list[Operation] = []
    for operation in program.operations:
        factor = made.get(operation.args[1]) if _is_row_product(operation) else None
        if factor is not None and is_transpose(factor):
            operations += _turned(operation, factor.args[0])
        else:
            operations.append(operation)
    return Program(program.inputs, operations, program.outputs)


def _is_row_product(operation: Operation) -> bool:
    if operation.card.role is not Role.PRODUCT:
        return False
    x, y = operation.args
    return isinstance(y, Variable) and len(x.shape) == len(y.shape) == 2 and x.shape[0] == 1


def _turned(operation: Operation, matrix: Any) -> list[Operation]:
    made: dict[Variable, Operation] = {}
    row, result = flattened(operation.args[0], made), operation.result
    column = Variable((result.size,), result.dtype)
    product = Operation(operation.primitive, [matrix, row], {}, column)
    return [*made.values(), product, reshaped(column, result)]
