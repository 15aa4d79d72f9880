"""A pass: what a loop does not have to do in each step.

What is the same in each step is computed once, before the loop. What depends on the rows of given
arrays alone is computed for all rows together: a product with a matrix becomes one large product,
and small elementwise steps one call. What a step only adds up or hands out, such as the gradient
of a matrix, becomes one product over all steps after the loop.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from portanet.tape.ops.card import Role
from portanet.tracing.compound import Compound
from portanet.tracing.loops.afterwards import Afterwards
from portanet.tracing.loops.again import reads
from portanet.tracing.loops.loop import Loop
from portanet.tracing.loops.outside import Outside
from portanet.tracing.loops.passes import has_compounds
from portanet.tracing.plan.simplify import without_unused
from portanet.tracing.program import Operation, Program, Variable, replaced
from portanet.tracing.record.record import RecordTrace


def with_motion(program: Program, xp: Any) -> Program:
    """Take out of the loops of a program what is better done before or after them.

    The arrays of the recorded run are let go of.
    """
    if not has_compounds(program):
        return program
    operations: list[Operation] = []
    same: dict[Variable, Any] = {}
    results: dict[Variable, list[Any]] = {}

    def current(x: Any) -> Any:
        return same.get(x, x) if isinstance(x, Variable) else x

    for op in program.operations:
        if op.card.role is Role.PART and op.args[0] in results:
            same[op.result] = results[op.args[0]][op.args[1]]
            continue
        args = [replaced(current, x) for x in op.args]
        options = {k: replaced(current, x) for k, x in op.options.items()}
        seen = tuple(v for v in map(current, op.seen) if isinstance(v, Variable))
        op = replace(op, args=args, options=options, seen=seen)
        if isinstance(op.primitive, Compound):
            changed = op.primitive.mapped(lambda body: with_motion(body, xp))
            op = replace(op, primitive=changed)
        if isinstance(op.primitive, Loop):
            trace = RecordTrace(Program([]), xp)
            with np.errstate(all="ignore"):
                found = _moved(op.primitive, trace, op)
            operations += [replace(new, samples=()) for new in trace.program.operations]
            results[op.result] = [trace._variable(y) for y in found]
        else:
            operations.append(replace(op, samples=()))
    return Program(program.inputs, operations, [current(y) for y in program.outputs])


def _moved(loop: Loop, trace: RecordTrace, op: Operation) -> list[Any]:
    """Record a loop without what can be done outside, and that; return the results."""
    operands = [
        trace._recorded(sample, x) if isinstance(x, Variable) else x
        for x, sample in zip(op.args, op.samples, strict=True)
    ]
    constants, init, columns = loop.grouped(operands)
    outside = Outside(loop.xp, loop.length)
    outside.fixed.update(zip(loop.constants, constants, strict=True))
    outside.columns.update(zip(loop.rows, columns, strict=True))
    inside = outside.moved(loop.operations)
    later = Afterwards(outside, inside, loop.last, loop.stacked, loop.summed)
    outputs = [*loop.last, *later.wanted, *later.sums]
    inside = without_unused(Program([], inside, outputs)).operations
    read = reads(inside, outputs)
    fixed = [v for v in read if v in outside.fixed]
    rows = [v for v in read if v in outside.columns]
    left = replace(
        loop, constants=fixed, rows=rows, operations=inside, stacked=later.wanted,
        summed=later.sums, trace=None, hidden=frozenset(), guessed=True,
    )  # fmt: skip
    n, m = len(loop.last), len(loop.last) + len(later.wanted)
    parts = left.bind(
        [*(outside.fixed[v] for v in fixed), *init, *(outside.columns[v] for v in rows)]
    ) if outputs else []  # fmt: skip
    stacks, sums = later.results(parts[n:m], parts[m:])
    return [*parts[:n], *stacks, *sums]
