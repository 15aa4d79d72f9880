"""The body of a loop, interpreted under other traces and so recorded anew."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from portanet.tracing.interpret import current, interpret
from portanet.tracing.loops.body import BodyTrace, plain
from portanet.tracing.program import Operation, Variable


class Body:
    """The body of a loop, recorded anew on stand-ins for operands.

    Parameters
    ----------
    loop : Loop
    operands : sequence
    keeps_rules : bool

    Attributes
    ----------
    boxes : list
        A stand-in for each input.
    values : dict
        The values of the loop's variables.
    """

    def __init__(self, loop: Any, operands: Sequence[Any], keeps_rules: bool = True) -> None:
        self.of = loop
        self.values: dict[Variable, Any] = {}
        origin = None if loop.trace is None else (loop.trace, self.values)
        self.trace = BodyTrace(loop.xp, origin, keeps_rules)
        self.boxes = [self.stand_in(i, x) for i, x in enumerate(operands)]
        self.extra: list[list[tuple[Any, Any]]] = [[], [], []]

    def stand_in(self, i: int, x: Any) -> Any:
        """Return a new input for an operand in the place `i`."""
        if i >= len(self.of.constants) + len(self.of.carry):
            x = plain(x)[self.of.length - 1 if self.of.backwards else 0, ...]
        return self.trace.stand_in(x)

    def run(self, boxes: Sequence[Any]) -> list[Any]:
        """Interpret the body on `boxes`; return its outputs."""
        self.values.update(zip(self.of.inputs, boxes, strict=True))
        self.trace.run(interpret, self.of.operations, self.values)
        return current(self.values, self.of.outputs)

    def add(self, i: int, stand_in: Any, operand: Any) -> None:
        """Note one more input, of the same group as the input `i`."""
        k, n = len(self.of.constants), len(self.of.carry)
        self.extra[(i >= k) + (i >= k + n)].append((stand_in, operand))

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
