"""Products whose operands are turned over, so that BLAS takes them soonest."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

import numpy as np

from portanet.tape.ops.card import Role
from portanet.tracing.plan.form import copied, permuted
from portanet.tracing.plan.transposes import is_transpose
from portanet.tracing.program import Operation, Program, Variable

# OpenBLAS computes products of up to `LARGEST` multiplications by kernels that read small matrices
# as they lie, but for x y^T with both by rows and more than `_RESULT` entries: there it packs both.
# 32 x 128 x 128 takes 18.5 µs, and 9.8 with either of them turned over (float64: 26.8, 19.0),
# 128 x 32 x 128 14.1 and 11.2, 64 x 64 x 64 7.9 and 5.3; to turn the smaller one over takes 1.6,
# 1.4 and 1.5. It packs larger ones anyway: 128 x 128 x 128 takes 48.9 and 43.2 µs, and to turn one
# over 10. With sums of 16 terms a seventh is gained at a mean, with 8 terms from -23 to 28 %.
LARGEST, _RESULT, _TERMS = 1_000_000, 1200, 16
_DTYPES = ("float32", "float64")


def with_turned_operands(program: Program) -> Program:
    """Write ``x y^T`` with a copy of the smaller operand turned over, where that is sooner done."""
    if not _has_kernels_for_small_matrices():
        return program
    made = program.made
    operations: list[Operation] = []
    copies: dict[Variable, Variable] = {}
    for operation in program.operations:
        if _is_packed(operation, made):
            operations += _turned(operation, copies)
        else:
            operations.append(operation)
    return Program(program.inputs, operations, program.outputs)


@cache
def _has_kernels_for_small_matrices() -> bool:
    """Whether NumPy has an OpenBLAS on a processor for which that has such kernels."""
    found: Any = np.show_config(mode="dicts")
    features = found.get("SIMD Extensions", {})
    known = {*features.get("baseline", ()), *features.get("found", ())}
    library = found.get("Build Dependencies", {}).get("blas", {}).get("name", "")
    return "openblas" in library and not known.isdisjoint(("AVX512_SKX", "X86_V4"))


def _is_packed(operation: Operation, made: Mapping[Variable, Operation]) -> bool:
    """Whether it is ``x y^T`` by rows, and of a size at which that is the slow case.

    Of ``x x^T`` NumPy has only half to compute.
    """
    if operation.card.role is not Role.PRODUCT or str(operation.result.dtype) not in _DTYPES:
        return False
    x, y = operation.args
    if not (isinstance(x, Variable) and isinstance(y, Variable) and len(x.shape) == 2):
        return False
    if len(y.shape) != 2 or x.dtype != y.dtype or is_transpose(made.get(x)):
        return False
    (m, k), n = x.shape, y.shape[1]
    over = made.get(y)
    if over is None or not is_transpose(over) or over.args[0] is x or min(m, n) < 2:
        return False
    return m * n > _RESULT and k >= _TERMS and m * k * n <= LARGEST


def _turned(operation: Operation, copies: dict[Variable, Variable]) -> list[Operation]:
    """Return what computes a product; `copies` are those of second operands, made once."""
    x, y = operation.args
    if x.size > y.size:
        made = [] if y in copies else [copied(y, copies.setdefault(y, Variable(y.shape, y.dtype)))]
        args = [x, copies[y]]
        return [*made, Operation(operation.primitive, args, operation.options, operation.result)]
    over, copy, back = (Variable(s, x.dtype) for s in (x.shape[::-1], x.shape[::-1], x.shape))
    return [
        permuted(x, over, (1, 0)),
        copied(over, copy),
        permuted(copy, back, (1, 0)),
        Operation(operation.primitive, [back, y], operation.options, operation.result),
    ]
