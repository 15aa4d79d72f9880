"""Products of few rows with the same matrix: one product of all these rows.

A derivative in forward mode multiplies what it goes along by every matrix that the value is
multiplied by. BLAS takes two rows in the time of one, and half of that is its start.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from portanet.tape.ops.card import Role
from portanet.tape.ops.table import CARDS
from portanet.tracing.plan.form import Planned, copied, reshaped
from portanet.tracing.plan.simplify import key_of
from portanet.tracing.program import Operation, Program, Variable

_FLOATS = ("float32", "float64")
_JOINING, _INDEXING = Planned(CARDS["concat_arrays"]), Planned(CARDS["getitem"])
# Two rows take 0.5 to 0.65 of the time of two products, 8 rows 0.75 to 0.95. Of more rows or larger
# matrices some take three times as long: 8 rows with 256 x 256 turned over.
_FEW, _MOST = 16, 1 << 17  # rows, and times the numbers of the matrix
# With 32 x 32 two times 64 rows take 0.8, 128 rows 0.9 and three times 256 rows 0.94 of the time,
# with 64 x 64 two times 32 rows 0.9 and with 128 x 128 1.16. To copy 1024 numbers takes 0.2 µs.
_SMALL, _MANY, _COPIED = 1024, 1 << 15, 1024  # numbers of a matrix, of all rows, of those copied

Products = list[Operation]
"""One operation, or products that become one."""


def with_stacked_products(program: Program) -> Program:
    """Write ``x m`` and ``y m`` as the rows of one product, of `x` above `y`, with `m`."""
    items: list[Products] = []
    latest: dict[Any, Products] = {}
    views = {*program.inputs, *(op.result for op in program.operations if op.card.view)}
    for operation in program.operations:
        key = _matrix(operation)
        group = latest.get(key, []) if key is not None else []
        if group and _suit([*group, operation], views) and _moved(items, group, operation):
            continue
        items.append([operation])
        if key is not None:
            latest[key] = items[-1]
    if len(items) == len(program.operations):
        return program
    inputs = set(program.inputs)
    operations = [x for item in items for x in (_stacked(item, inputs) if item[1:] else item)]
    return Program(program.inputs, operations, program.outputs)


def _matrix(operation: Operation) -> Any:
    """Return what two products with the same matrix share, None for what is no such product."""
    if operation.card.role is not Role.PRODUCT:
        return None
    x, matrix = operation.args
    dtype = operation.result.dtype
    alike = x.dtype == matrix.dtype == dtype and str(dtype) in _FLOATS
    if not alike or len(x.shape) > 2 or not x.shape or len(matrix.shape) != 2:
        return None
    return key_of(matrix)


def _rows(x: Any) -> int:
    return x.shape[0] if len(x.shape) == 2 else 1


def _suit(products: Products, views: set[Variable]) -> bool:
    """Whether some products are soonest done together."""
    factors, (n, m) = [product.args[0] for product in products], products[0].args[1].shape
    rows = sum(map(_rows, factors))
    if rows <= _FEW:
        return rows * n * m <= _MOST
    copies = sum(x.size for x in factors if not isinstance(x, Variable) or x in views)
    return n * m <= _SMALL and rows * max(n, m) <= _MANY and copies <= _COPIED


def _moved(items: list[Products], group: Products, operation: Operation) -> bool:
    """Put a product beside those of a group, behind all others that it depends on.

    Return False, and leave everything where it is, if it depends on these products.
    """
    start = next(i for i in reversed(range(len(items))) if items[i] is group)
    after = {product.result for product in group}
    before, behind = [], []
    for item in items[start + 1 :]:
        if any(v in after for part in item for v in part.operands):
            after.update(part.result for part in item)
            behind.append(item)
        else:
            before.append(item)
    if not after.isdisjoint(operation.operands):
        return False
    group.append(operation)
    items[start:] = [*before, group, *behind]
    return True


def _stacked(products: Products, inputs: set[Variable]) -> list[Operation]:
    """Return the operations that leave in the results of some products what these do."""
    made: list[Operation] = []
    rows, matrix, dtype = [], products[0].args[1], products[0].result.dtype
    for product in products:
        x = product.args[0]
        if not isinstance(x, Variable) or x in inputs:
            x = Variable(x.shape, dtype)
            made.append(copied(product.args[0], x))
        if len(x.shape) == 1:
            made.append(reshaped(x, Variable((1, *x.shape), dtype)))
        rows.append(x if len(x.shape) == 2 else made[-1].result)
    n = sum(map(_rows, rows))
    joined, stacked = (Variable((n, size), dtype) for size in matrix.shape)
    if not isinstance(matrix, Variable):  # which takes 0.5 to 0.95 of the time of one turned over
        matrix = np.ascontiguousarray(matrix)
    made.append(Operation(_JOINING, rows, {"axis": 0}, joined))
    made.append(Operation(products[0].primitive, [joined, matrix], {}, stacked))
    start = 0
    for product, x in zip(products, rows, strict=True):
        end = start + x.shape[0]
        key = slice(start, end) if len(product.result.shape) == 2 else start
        made.append(Operation(_INDEXING, [stacked, key], {}, product.result, (stacked,)))
        start = end
    return made
