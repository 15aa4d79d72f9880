"""Loops over the first axis of arrays: one body, run as often as there are rows."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from portanet.interface.loops import unstack
from portanet.tracing.compound import Compound
from portanet.tracing.interpret import closure, current, has_rules, interpret
from portanet.tracing.loops.body import BodyTrace
from portanet.tracing.loops.loop_rules import run_batched, run_forward
from portanet.tracing.loops.retrace import LoopBody, reads
from portanet.tracing.loops.reverse import run_reverse
from portanet.tracing.plan.simplify import without_dead_code
from portanet.tracing.program import Operation, Program, Variable

_TRIED = 1 << 10  # steps that are taken while a loop is recorded: what they give is a sample


@dataclass(eq=False, repr=False)
class Loop(Compound):
    """A loop over the first axis of arrays.

    Its operands are the constants, the first carry and the arrays of whose rows a step gets one;
    its results the last carry, what is stacked and what is summed.

    Parameters
    ----------
    backend : Backend
    length : int
    backwards : bool
        Whether it begins with the last row.
    constants : list of Variable
        Inputs of a step that are the same in each of them.
    carry : list of Variable
        Inputs that come from the step before.
    rows : list of Variable
        Inputs that are rows of arrays.
    operations : list of Operation
    last : list
        What the next step gets for `carry`. Here and below: variables, or values that are always
        the same.
    stacked : list
        What each step gives, to be stacked.
    summed : list
        What is added up over the steps.
    trace : BodyTrace or None
        The recording of the body.
    hidden : frozenset of int
        Which of the stacked arrays are there for derivatives alone: while the loop is recorded
        they are guessed.
    guessed : bool
        Whether all results are guessed then, from one step.
    kept : frozenset of int
        Which of the stacked arrays may lie in memory that the next run of the loop writes again.
    """

    backend: Any
    length: int
    backwards: bool
    constants: list[Variable]
    carry: list[Variable]
    rows: list[Variable]
    operations: list[Operation]
    last: list[Any]
    stacked: list[Any]
    summed: list[Any]
    trace: BodyTrace | None = None
    hidden: frozenset[int] = frozenset()
    guessed: bool = False
    kept: frozenset[int] = frozenset()

    name = "loop"

    def __repr__(self) -> str:
        return f"loop of {self.length} steps of {len(self.operations)} operations"

    @property
    def xp(self) -> Any:
        return self.backend.xp

    @property
    def inputs(self) -> list[Variable]:
        return [*self.constants, *self.carry, *self.rows]

    @property
    def outputs(self) -> list[Any]:
        return [*self.last, *self.stacked, *self.summed]

    def grouped(self, operands: Sequence[Any]) -> tuple[list[Any], list[Any], list[Any]]:
        """Return the constants, the first carry and the arrays among operands."""
        a, b = len(self.constants), len(self.constants) + len(self.carry)
        return list(operands[:a]), list(operands[a:b]), list(operands[b:])

    def __call__(self, *operands: Any) -> tuple[Any, ...]:
        return tuple(self._run(operands, range(len(self.stacked)), self.length)[0])

    def sample(self, operands: Sequence[Any]) -> list[Any]:
        """See `Compound`: what is hidden is the same in all rows."""
        guessed = self.guessed or self.length > _TRIED
        visible = [i for i in range(len(self.stacked)) if not guessed and i not in self.hidden]
        steps = 1 if self.guessed else min(self.length, _TRIED)
        found, values = self._run(operands, visible, steps)
        n, stacks = len(self.last), iter(found[len(self.last) :])
        stacked = []
        for i, y in enumerate(current(values, self.stacked)):
            if i in visible:
                stacked.append(next(stacks))
            else:
                one = self.xp.raw.stack([self._array(y)])
                stacked.append(self.xp.raw.broadcast_to(one, (self.length, *one.shape[1:])))
        return [*found[:n], *stacked, *stacks]

    def _run(
        self, operands: Sequence[Any], visible: Sequence[int], steps: int
    ) -> tuple[list[Any], dict[Variable, Any]]:
        """Run the first steps on plain arrays, and stack what is `visible`.

        Returns also the values of all variables in the last of them.
        """
        constants, carry, columns = self.grouped(operands)
        columns = [unstack(x) for x in columns]
        order = range(self.length - 1, -1, -1) if self.backwards else range(self.length)
        wanted = [self.stacked[i] for i in visible]
        stacks, sums = [], []
        values: dict[Variable, Any] = {}
        for i in order[:steps]:
            values = dict(zip(self.constants, constants, strict=True))
            values.update(zip(self.carry, carry, strict=True))
            values.update(zip(self.rows, (column[i] for column in columns), strict=True))
            interpret(self.operations, values)
            carry = current(values, self.last)
            stacks.append(current(values, wanted))
            summed = current(values, self.summed)
            sums = [a + b for a, b in zip(sums, summed, strict=True)] if sums else summed
        if self.backwards:
            stacks.reverse()
        rows = zip(*stacks, strict=True)
        stacked = [self.xp.stack(list(map(self._array, ys))) for ys in rows]
        return [*carry, *stacked, *sums], values

    def _array(self, y: Any) -> Any:
        return self.xp.raw.asarray(y)

    def for_trace(self, trace: Any, operands: Sequence[Any]) -> tuple[Any, Sequence[Any]]:
        """See `Compound`: where rules are not kept, the body is recorded anew without them."""
        if trace.keeps_rules or not has_rules(self.operations):
            return self, operands
        body = LoopBody(self, operands, keeps_rules=False)
        outputs = body.run(body.boxes)
        return body.loop(outputs, {})[0], body.operands(operands)

    def run_forward(self, trace: Any, args: Sequence[Any]) -> list[Any]:
        return run_forward(self, trace, args)

    def run_reverse(self, trace: Any, args: Sequence[Any]) -> list[Any]:
        return run_reverse(self, trace, args)

    def run_batched(self, trace: Any, args: Sequence[Any]) -> list[Any]:
        return run_batched(self, trace, args)

    def closure(self, sources: Iterable[int]) -> set[int]:
        """Return which inputs depend on others, by their numbers: these, and what is carried."""
        k, (body,) = len(self.constants), self.programs
        return closure(body, {k + i: y for i, y in enumerate(self.last)}, sources)

    @property
    def programs(self) -> list[Program]:
        return [Program(self.inputs, self.operations, self.outputs)]

    def mapped(self, change: Callable[[Program], Program]) -> Loop:
        (program,) = map(change, self.programs)
        a, b = len(self.last), len(self.last) + len(self.stacked)
        return dataclasses.replace(
            self, operations=program.operations, last=program.outputs[:a],
            stacked=program.outputs[a:b], summed=program.outputs[b:], trace=None,
        )  # fmt: skip

    def pruned(self, wanted: set[int]) -> tuple[Loop, list[int], dict[int, int]]:
        """See `Compound`: a carry stays if a step or the result needs it."""
        n, m = len(self.last), len(self.last) + len(self.stacked)
        live = {i for i in wanted if i < n}
        others = sorted(i for i in wanted if i >= n)
        while True:
            results = [*sorted(live), *others]
            outputs = [self.outputs[i] for i in results]
            operations = without_dead_code(Program([], self.operations, outputs)).operations
            read = set(reads(operations, outputs))
            found = live | {i for i, v in enumerate(self.carry) if v in read}
            if found == live:
                break
            live = found
        k = len(self.constants)
        kept = [
            i for i, v in enumerate(self.inputs) if (i - k in live if k <= i < k + n else v in read)
        ]
        stacked = [i - n for i in others if i < m]
        chosen = dataclasses.replace(
            self,
            constants=[v for v in self.constants if v in read],
            carry=[self.carry[i] for i in sorted(live)],
            rows=[v for v in self.rows if v in read],
            operations=operations,
            last=[self.last[i] for i in sorted(live)],
            stacked=[self.stacked[i] for i in stacked],
            summed=[self.summed[i - m] for i in others if i >= m],
            hidden=frozenset(stacked.index(i) for i in self.hidden.intersection(stacked)),
        )
        return chosen, kept, {old: new for new, old in enumerate(results)}
