"""Passes over the programs that loops and branches are made of."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from portanet.tape.ops.card import Role
from portanet.tracing.compound import Compound
from portanet.tracing.loops.epilogue import Epilogue
from portanet.tracing.loops.loop import Loop
from portanet.tracing.loops.prologue import Prologue
from portanet.tracing.loops.retrace import reads
from portanet.tracing.plan.simplify import without_common_subexpressions, without_dead_code
from portanet.tracing.program import Operation, Program, Variable, resolved
from portanet.tracing.record.record import RecordTrace


def with_short_bodies(program: Program, folds: Any) -> Program:
    """Compute nothing twice within the programs that operations are made of.

    `folds` makes arrays in the place of those of which only the shape matters, see
    `without_common_subexpressions`.
    """

    def shortened(body: Program) -> Program:
        return without_dead_code(
            without_common_subexpressions(with_short_bodies(body, folds), folds)
        )

    return without_dead_code(
        _with_compounds(program, lambda compound, _: compound.mapped(shortened))
    )


def with_motion(program: Program, xp: Any) -> Program:
    """Take out of the loops of a program what they do not have to do in each step.

    What is the same in each step is computed once, before the loop. What depends on the rows of
    given arrays alone is computed for all rows together: a product with a matrix becomes one large
    product, and small elementwise steps one call. What a step only adds up or hands out, such as
    the gradient of a matrix, becomes one product over all steps after the loop. The arrays of the
    recorded run are let go of.
    """
    if not has_compounds(program):
        return program
    operations: list[Operation] = []
    same: dict[Variable, Any] = {}
    results: dict[Variable, list[Any]] = {}

    for op in program.operations:
        if op.card.role is Role.PART and op.args[0] in results:
            same[op.result] = results[op.args[0]][op.args[1]]
            continue
        op = op.reading(same)
        if isinstance(op.primitive, Compound):
            op = replace(op, primitive=op.primitive.mapped(lambda body: with_motion(body, xp)))
        if isinstance(op.primitive, Loop):
            trace = RecordTrace(Program([]), xp)
            with np.errstate(all="ignore"):
                found = _moved(op.primitive, trace, op)
            operations += [replace(new, samples=()) for new in trace.program.operations]
            results[op.result] = [trace._variable(y) for y in found]
        else:
            operations.append(replace(op, samples=()))
    return Program(program.inputs, operations, [resolved(same, y) for y in program.outputs])


def _moved(loop: Loop, trace: RecordTrace, op: Operation) -> list[Any]:
    """Record a loop without what can be done outside, and that; return the results."""
    operands = [
        trace._recorded(sample, x) if isinstance(x, Variable) else x
        for x, sample in zip(op.args, op.samples, strict=True)
    ]
    constants, init, columns = loop.grouped(operands)
    prologue = Prologue(loop.xp, loop.length)
    prologue.fixed.update(zip(loop.constants, constants, strict=True))
    prologue.columns.update(zip(loop.rows, columns, strict=True))
    inside = prologue.moved(loop.operations)
    epilogue = Epilogue(prologue, inside, loop.last, loop.stacked, loop.summed)
    outputs = [*loop.last, *epilogue.wanted, *epilogue.sums]
    inside = without_dead_code(Program([], inside, outputs)).operations
    read = reads(inside, outputs)
    fixed = [v for v in read if v in prologue.fixed]
    rows = [v for v in read if v in prologue.columns]
    left = replace(
        loop, constants=fixed, rows=rows, operations=inside, stacked=epilogue.wanted,
        summed=epilogue.sums, trace=None, hidden=frozenset(), guessed=True,
    )  # fmt: skip
    n, m = len(loop.last), len(loop.last) + len(epilogue.wanted)
    parts = left.bind(
        [*(prologue.fixed[v] for v in fixed), *init, *(prologue.columns[v] for v in rows)]
    ) if outputs else []  # fmt: skip
    stacks, sums = epilogue.results(parts[n:m], parts[m:])
    return [*parts[:n], *stacks, *sums]


def with_kept_rows(program: Program, inside: bool = False) -> Program:
    """Let loops stack what no result of the program looks at in memory that is kept.

    What a body hands out, `inside`, is copied.
    """
    shown: set[Any] = set() if inside else {y for y in program.outputs if isinstance(y, Variable)}
    places: dict[Variable, set[int]] = {}
    for op in reversed(program.operations):
        if op.result in shown:
            shown.update(op.seen)
            if op.card.role is Role.PART:
                places.setdefault(op.args[0], set()).add(op.args[1])

    def changed(compound: Compound, op: Operation) -> Compound:
        compound = compound.mapped(lambda body: with_kept_rows(body, isinstance(compound, Loop)))
        if not isinstance(compound, Loop):
            return compound
        given, n = places.get(op.result, set()), len(compound.last)
        stacked = range(len(compound.stacked))
        return replace(compound, kept=frozenset(i for i in stacked if n + i not in given))

    return _with_compounds(program, changed)


def has_compounds(program: Program) -> bool:
    """Whether there are loops or branches in a program."""
    return any(isinstance(op.primitive, Compound) for op in program.operations)


def _with_compounds(program: Program, change: Any) -> Program:
    if not has_compounds(program):
        return program
    operations = [
        replace(op, primitive=change(op.primitive, op))
        if isinstance(op.primitive, Compound)
        else op
        for op in program.operations
    ]
    return Program(program.inputs, operations, program.outputs)
