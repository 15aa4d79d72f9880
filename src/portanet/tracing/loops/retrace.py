"""Bodies of loops and branches, interpreted under other traces and so recorded anew."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from portanet.tracing.interpret import current, interpret
from portanet.tracing.loops.body import BodyTrace, plain
from portanet.tracing.program import Operation, Program, Variable


class Body:
    """A recorded body, interpreted on stand-ins for operands and so recorded anew.

    Parameters
    ----------
    xp : Namespace
    program : Program
    origin : BodyTrace or None
        The recording of the program.
    operands : sequence
        One for each input of the program.
    keeps_rules : bool

    Attributes
    ----------
    trace : BodyTrace
    boxes : list
        The stand-ins for operands.
    outputs : list
        What the body gives, in the boxes of `trace`.
    """

    def __init__(
        self,
        xp: Any,
        program: Program,
        origin: BodyTrace | None,
        operands: Sequence[Any],
        keeps_rules: bool = True,
    ) -> None:
        self.program = program
        self.values: dict[Variable, Any] = {}
        of = None if origin is None else (origin, self.values)
        self.trace = BodyTrace(xp, of, keeps_rules)
        self.boxes = [self.trace.stand_in(x) for x in operands]
        self.outputs: list[Any] = []

    @classmethod
    def recorded(cls, xp: Any, function: Callable[..., list[Any]], operands: Sequence[Any]) -> Body:
        """Record a function of arrays and keys for the first time."""
        body = cls(xp, Program([]), None, operands)
        body.outputs = body.trace.run(function, *body.boxes)
        return body

    def run(self, boxes: Sequence[Any]) -> list[Any]:
        """Interpret the program on boxes around the stand-ins; return its outputs."""
        self.values.update(zip(self.program.inputs, boxes, strict=True))
        self.trace.run(interpret, self.program.operations, self.values)
        return current(self.values, self.program.outputs)

    def add(self, operands: Sequence[Any]) -> list[Any]:
        """Return stand-ins for further operands."""
        added = [self.trace.stand_in(x) for x in operands]
        self.boxes += added
        return added


def aligned(
    bodies: Sequence[Body], operands: Sequence[Any]
) -> tuple[tuple[Program, ...], list[Any]]:
    """Return programs with the same inputs, and the operands for these.

    What the bodies have captured comes last.
    """
    outputs = [body.trace.noted(body.outputs) for body in bodies]
    captured = [list(body.trace.captured) for body in bodies]
    programs = []
    for body, own_outputs in zip(bodies, outputs, strict=True):
        inputs = list(body.boxes)
        for other, group in zip(bodies, captured, strict=True):
            inputs += [own if other is body else body.trace.stand_in(x) for x, own in group]
        operations = list(body.trace.program.operations)
        programs.append(Program(body.trace.noted(inputs), operations, own_outputs))
    return tuple(programs), [*operands, *(x for group in captured for x, _ in group)]


class LoopBody(Body):
    """The body of a loop over rows.

    Parameters
    ----------
    loop : Loop
    operands : sequence
    keeps_rules : bool
    """

    def __init__(self, loop: Any, operands: Sequence[Any], keeps_rules: bool = True) -> None:
        (program,) = loop.programs
        rows = [self.first(loop, i, x) for i, x in enumerate(operands)]
        super().__init__(loop.xp, program, loop.trace, rows, keeps_rules)
        self.of = loop
        self.extra: list[list[tuple[Any, Any]]] = [[], [], []]

    @staticmethod
    def first(loop: Any, i: int, x: Any) -> Any:
        """Return what the first step gets of an operand in the place `i`."""
        if i < len(loop.constants) + len(loop.carry):
            return x
        return plain(x)[loop.length - 1 if loop.backwards else 0, ...]

    def add_beside(self, i: int, operand: Any) -> Any:
        """Return a stand-in for a further operand, of the same group as that in the place `i`."""
        k, n = len(self.of.constants), len(self.of.carry)
        stand_in = self.trace.stand_in(self.first(self.of, i, operand))
        self.extra[(i >= k) + (i >= k + n)].append((stand_in, operand))
        return stand_in

    def call(
        self, outputs: Sequence[Any], more: Mapping[int, Any], operands: Sequence[Any]
    ) -> tuple[list[Any], dict[int, Any]]:
        """Run the loop over this body under the traces of its operands.

        Parameters
        ----------
        outputs : sequence
            Values in the place of the outputs that the body had.
        more : mapping
            Further outputs: each goes where the one of the number given goes.
        operands : sequence
            Those that the loop had.

        Returns
        -------
        results : list
        further : dict
            The results for `more`.
        """
        loop, order = self.loop(outputs, more)
        results: list[Any] = [None] * len(outputs)
        further: dict[int, Any] = {}
        for (i, own), y in zip(order, loop.bind(self.operands(operands)), strict=True):
            if own:
                results[i] = y
            else:
                further[i] = y
        return results, further

    def loop(
        self, outputs: Sequence[Any], more: Mapping[int, Any]
    ) -> tuple[Any, list[tuple[int, bool]]]:
        """Return the loop over this body, and for each result which one it is; see `call`."""
        of, noted = self.of, self.trace.noted
        a, b = len(of.last), len(of.last) + len(of.stacked)
        groups, order, hidden = [], [], set()
        for group in (range(a), range(a, b), range(b, len(outputs))):
            added = [i for i in group if i in more]
            groups.append(noted([*(outputs[i] for i in group), *(more[i] for i in added)]))
            order += [*((i, True) for i in group), *((i, False) for i in added)]
            if group.start == a:
                hidden = {j for j, i in enumerate((*group, *added)) if i - a in of.hidden}
        inputs = [
            [*group, *noted([x for x, _ in extra])]
            for group, extra in zip(of.grouped(noted(self.boxes)), self.extra, strict=True)
        ]
        inputs[0] += noted([x for _, x in self.trace.captured])
        made = dataclasses.replace(
            of, constants=inputs[0], carry=inputs[1], rows=inputs[2],
            operations=list(self.trace.program.operations), last=groups[0], stacked=groups[1],
            summed=groups[2], trace=self.trace, hidden=frozenset(hidden),
        )  # fmt: skip
        return made, order

    def operands(self, operands: Sequence[Any]) -> list[Any]:
        """Return the operands of `loop`, given those that the loop had."""
        constants, init, columns = (
            [*group, *(x for _, x in extra)]
            for group, extra in zip(self.of.grouped(operands), self.extra, strict=True)
        )
        return [*constants, *(x for x, _ in self.trace.captured), *init, *columns]


def reads(operations: Sequence[Operation], outputs: Sequence[Any]) -> list[Variable]:
    """Return the variables that a body takes from elsewhere."""
    made = {op.result for op in operations}
    used = [v for op in operations for v in op.operands]
    used += [y for y in outputs if isinstance(y, Variable)]
    return [v for v in dict.fromkeys(used) if v not in made]
