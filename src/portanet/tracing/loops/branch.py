"""Branches: one of two recorded bodies, chosen by a value."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from portanet.tape.box import Box
from portanet.tracing.compound import Compound
from portanet.tracing.interpret import has_rules, run
from portanet.tracing.loops import branch_rules
from portanet.tracing.loops.body import BodyTrace
from portanet.tracing.loops.retrace import Body, aligned, reads
from portanet.tracing.plan.simplify import without_dead_code
from portanet.tracing.program import Program


@dataclass(eq=False, repr=False)
class Branch(Compound):
    """One of two programs with the same inputs, whichever a boolean array asks for.

    The operands are that array, then the inputs.

    Parameters
    ----------
    backend : Backend
    sides : tuple of Program
        Where it is true, and where it is false.
    traces : tuple of BodyTrace, optional
        Their recordings.
    """

    backend: Any
    sides: tuple[Program, Program]
    traces: tuple[BodyTrace | None, BodyTrace | None] = (None, None)

    name = "cond"

    def __repr__(self) -> str:
        return f"branch of {' or '.join(str(len(p.operations)) for p in self.sides)} operations"

    @property
    def xp(self) -> Any:
        return self.backend.xp

    @property
    def programs(self) -> list[Program]:
        return list(self.sides)

    def __call__(self, predicate: Any, *operands: Any) -> tuple[Any, ...]:
        return tuple(run(self.sides[0 if predicate else 1], operands))

    def bind(self, operands: Sequence[Any]) -> list[Any]:
        """See `Compound`: where the value is known, the program that it chooses is run."""
        if isinstance(operands[0], Box):
            return super().bind(operands)
        return run(self.sides[0 if operands[0] else 1], operands[1:])

    def for_trace(self, trace: Any, operands: Sequence[Any]) -> tuple[Any, Sequence[Any]]:
        if trace.keeps_rules or not any(has_rules(p.operations) for p in self.sides):
            return self, operands
        bodies = self.bodies(operands[1:], keeps_rules=False)
        for body in bodies:
            body.outputs = body.run(body.boxes)
        return self.over(self.backend, bodies, operands)

    @classmethod
    def over(
        cls, backend: Any, bodies: Sequence[Body], operands: Sequence[Any]
    ) -> tuple[Branch, list[Any]]:
        """Return the branch over two bodies, and its operands: the condition, then the inputs."""
        (one, other), operands = aligned(bodies, operands)
        return cls(backend, (one, other), (bodies[0].trace, bodies[1].trace)), operands

    def call(self, bodies: Sequence[Body], operands: Sequence[Any]) -> list[Any]:
        """Run the branch over two bodies under the traces of its operands."""
        branch, operands = self.over(self.backend, bodies, operands)
        return branch.bind(operands)

    def bodies(self, operands: Sequence[Any], keeps_rules: bool = True) -> list[Body]:
        """Return both sides on stand-ins for operands."""
        pairs = zip(self.sides, self.traces, strict=True)
        return [Body(self.xp, side, trace, operands, keeps_rules) for side, trace in pairs]

    def run_forward(self, trace: Any, args: Sequence[Any]) -> list[Any]:
        return branch_rules.run_forward(self, trace, args)

    def run_reverse(self, trace: Any, args: Sequence[Any]) -> list[Any]:
        return branch_rules.run_reverse(self, trace, args)

    def run_batched(self, trace: Any, args: Sequence[Any]) -> list[Any]:
        return branch_rules.run_batched(self, trace, args)

    def mapped(self, change: Callable[[Program], Program]) -> Branch:
        return Branch(self.backend, (change(self.sides[0]), change(self.sides[1])))

    def pruned(self, wanted: set[int]) -> tuple[Branch, list[int], dict[int, int]]:
        order = sorted(wanted)
        short = [
            without_dead_code(Program(p.inputs, p.operations, [p.outputs[i] for i in order]))
            for p in self.sides
        ]
        read = [set(reads(p.operations, p.outputs)) for p in short]
        kept = [
            i
            for i, pair in enumerate(zip(*(p.inputs for p in short), strict=True))
            if any(v in known for v, known in zip(pair, read, strict=True))
        ]
        for p in short:
            p.inputs = [p.inputs[i] for i in kept]
        places = {old: new for new, old in enumerate(order)}
        chosen = dataclasses.replace(self, sides=(short[0], short[1]))
        return chosen, [0, *(i + 1 for i in kept)], places
