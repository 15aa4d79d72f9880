"""Passes over the programs that loops and branches are made of."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from portanet.tape.ops.card import Role
from portanet.tracing.compound import Compound
from portanet.tracing.loops.loop import Loop
from portanet.tracing.plan.simplify import without_common_subexpressions, without_dead_code
from portanet.tracing.program import Operation, Program, Variable


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
