"""Sums and means of products, which are dot products: one call, and no array between."""

from __future__ import annotations

from typing import Any

from portanet.tape.ops.sums import LONG
from portanet.tape.ops.table import CARDS
from portanet.tracing.plan.form import Planned, flattened
from portanet.tracing.program import Operation, Program, Variable

_FLOATS = ("float32", "float64")
_DOT, _DIVISION = Planned(CARDS["matmul"]), Planned(CARDS["divide"])
_SUM, _MEAN, _PRODUCT = CARDS["sum"], CARDS["mean"], CARDS["multiply"]
_POWERS = CARDS["pow"], CARDS["square"]


def with_dot_products(program: Program) -> Program:
    """Write the sum of all entries of ``x * y`` or ``x**2`` as a product of vectors.

    As many terms are added one by one as `portanet.tape.ops.sums` lets a product with ones add.
    """
    uses = program.uses
    factors: dict[Variable, tuple[Any, Any]] = {}
    operations: list[Operation] = []
    for operation in program.operations:
        pair = factors.get(operation.args[0]) if _adds_all(operation) else None
        if pair is None:
            operations.append(operation)
        else:
            operations += _dot(operation, *pair)
        if uses[operation.result] == 1:
            found = _factors(operation)
            if found is not None:
                factors[operation.result] = found
    return Program(program.inputs, operations, program.outputs)


def _adds_all(operation: Operation) -> bool:
    """Whether an operation adds up all entries of an array that has axes."""
    if operation.card is not _SUM and operation.card is not _MEAN:
        return False
    x, result, options = operation.args[0], operation.result, operation.options
    plain = isinstance(x, Variable) and result.shape == () and options.get("dtype") is None
    return plain and bool(x.shape) and 0 < x.size <= LONG and result.dtype == x.dtype


def _factors(operation: Operation) -> tuple[Any, Any] | None:
    """Return the two arrays of the shape of the result whose product it is."""
    result, args = operation.result, operation.args
    if operation.card in _POWERS and (len(args) == 1 or (type(args[1]) is int and args[1] == 2)):
        args = args[0], args[0]
    elif operation.card is not _PRODUCT:
        return None
    alike = all(getattr(x, "shape", None) == result.shape for x in args)
    if not alike or any(x.dtype != result.dtype for x in args):
        return None
    return (args[0], args[1]) if str(result.dtype) in _FLOATS else None


def _dot(operation: Operation, x: Any, y: Any) -> list[Operation]:
    """Return the operations that leave the dot product, or its share, in the result."""
    made: dict[Variable, Operation] = {}
    factors = [flattened(array, made) for array in (x, y)]
    if operation.card is _SUM:
        return [*made.values(), Operation(_DOT, factors, {}, operation.result)]
    total, count = Variable((), operation.result.dtype), float(operation.args[0].size)
    return [
        *made.values(),
        Operation(_DOT, factors, {}, total),
        Operation(_DIVISION, [total, count], {}, operation.result),
    ]
