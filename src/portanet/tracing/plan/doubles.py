"""Numbers that are added to themselves and negated: one product.

The second derivatives of squares, and so those of tanh and sigmoid, are full of ``-(x + x)``.
"""

from __future__ import annotations

from dataclasses import replace

from portanet.tape.ops.table import CARDS
from portanet.tracing.plan.form import Planned
from portanet.tracing.program import Operation, Program, Variable

_FLOATS = ("float32", "float64")
_ADDITION, _NEGATION = CARDS["add"], CARDS["negative"]
_PRODUCT = Planned(CARDS["multiply"])


def with_negated_doubles(program: Program) -> Program:
    """Write ``-(x + x)`` as ``x * -2``, which is the same to the last bit."""
    doubled: dict[Variable, Variable] = {}
    operations: list[Operation] = []
    for operation in program.operations:
        args, result = operation.args, operation.result
        if operation.card is _ADDITION and args[0] is args[1] and _is_real(args[0], result):
            doubled[result] = args[0]
        if operation.card is _NEGATION and args[0] in doubled:
            operation = replace(operation, primitive=_PRODUCT, args=[doubled[args[0]], -2.0])
        operations.append(operation)
    return Program(program.inputs, operations, program.outputs)


def _is_real(x: object, result: Variable) -> bool:
    return isinstance(x, Variable) and x.dtype == result.dtype and str(x.dtype) in _FLOATS
