"""Transposes of matrices: folded into products, undone by each other, or spared for one row."""

from __future__ import annotations

from typing import Any

import numpy as np

from portanet.tape.ops.card import Role
from portanet.tracing.plan.form import flattened, reshaped
from portanet.tracing.program import Operation, Program, Variable, resolved


def with_folded_transposes(program: Program) -> Program:
    """Write ``(x y)^T`` as ``y^T x^T``, which a product computes in place, and drop ``x^T^T``."""
    if not any(map(is_transpose, program.operations)):
        return program
    uses = program.uses
    made: dict[Variable, Operation] = {}
    same: dict[Variable, Any] = {}
    operations: list[Operation] = []

    def add(operation: Operation) -> None:
        made[operation.result] = operation
        operations.append(operation)

    def transposed(x: Any, like: Operation) -> Any:
        if isinstance(x, np.ndarray):
            return x.T
        if is_transpose(made.get(x)):
            return made[x].args[0]
        result = Variable(x.shape[::-1], x.dtype)
        add(Operation(like.primitive, [x, *like.args[1:]], like.options, result))
        return result

    for operation in program.operations:
        operation = operation.reading(same)
        operand = operation.args[0] if operation.args else None
        source = made.get(operand) if isinstance(operand, Variable) else None
        if source is None or not is_transpose(operation):
            add(operation)
        elif is_transpose(source):
            same[operation.result] = source.args[0]
        elif _is_product(source) and uses[source.result] == 1:
            factors = [transposed(x, operation) for x in reversed(source.args)]
            add(Operation(source.primitive, factors, source.options, operation.result))
        else:
            add(operation)
    return Program(program.inputs, operations, [resolved(same, y) for y in program.outputs])


def with_row_products(program: Program) -> Program:
    """Write ``x y^T`` with one row `x` as ``y x``, for which nothing has to be turned over."""
    made = program.made
    operations: list[Operation] = []
    for operation in program.operations:
        factor = made.get(operation.args[1]) if _is_row_product(operation) else None
        if factor is not None and is_transpose(factor):
            operations += _turned(operation, factor.args[0])
        else:
            operations.append(operation)
    return Program(program.inputs, operations, program.outputs)


def is_transpose(operation: Operation | None) -> bool:
    if operation is None:
        return False
    axes = operation.args[1:]
    return operation.card.role is Role.TRANSPOSE and (not axes or tuple(axes[0]) == (1, 0))


def _is_product(operation: Operation) -> bool:
    return operation.card.role is Role.PRODUCT and all(len(x.shape) == 2 for x in operation.args)


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
