"""The passes over a program with loops, before it is planned as any other."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from portanet.tracing.compound import Compound
from portanet.tracing.loops.loop import Loop
from portanet.tracing.loops.motion import with_motion
from portanet.tracing.plan.simplify import without_repeats, without_unused
from portanet.tracing.program import Operation, Program, Variable


def with_short_loops(program: Program, xp: Any, folds: Any) -> Program:
    """Let loops and branches do no more than has to be done in each of their steps.

    `folds` makes arrays in the place of those of which only the shape matters, see
    `without_repeats`.
    """
    if not any(isinstance(op.primitive, Compound) for op in program.operations):
        return program
    program = without_unused(program)
    program = without_unused(_in_bodies(program, folds))
    program = without_unused(without_repeats(with_motion(program, xp), folds))
    return _with_kept_rows(program)


def _in_bodies(program: Program, folds: Any) -> Program:
    """Compute nothing twice within the programs that operations are made of."""

    def shortened(body: Program) -> Program:
        return without_unused(without_repeats(_in_bodies(body, folds), folds))

    return _with_compounds(program, lambda compound, _: compound.mapped(shortened))


def _with_kept_rows(program: Program, inside: bool = False) -> Program:
    """Let loops stack what no result of the program looks at in memory that is kept.

    What a body hands out, `inside`, is copied.
    """
    shown: set[Any] = set() if inside else {y for y in program.outputs if isinstance(y, Variable)}
    places: dict[Variable, set[int]] = {}
    for op in reversed(program.operations):
        if op.result in shown:
            shown.update(op.seen)
            if op.name == "part":
                places.setdefault(op.args[0], set()).add(op.args[1])

    def changed(compound: Compound, op: Operation) -> Compound:
        compound = compound.mapped(lambda body: _with_kept_rows(body, isinstance(compound, Loop)))
        if not isinstance(compound, Loop):
            return compound
        given, n = places.get(op.result, set()), len(compound.last)
        stacked = range(len(compound.stacked))
        return replace(compound, kept=frozenset(i for i in stacked if n + i not in given))

    return _with_compounds(program, changed)


def _with_compounds(program: Program, change: Any) -> Program:
    operations = [
        replace(op, primitive=change(op.primitive, op))
        if isinstance(op.primitive, Compound)
        else op
        for op in program.operations
    ]
    return Program(program.inputs, operations, program.outputs)
