"""Loops that go on for as long as a condition holds."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from portanet.errors import NoDerivativeError
from portanet.interface.loops import UNBOUNDED
from portanet.tape.batch import BatchTrace
from portanet.tape.box import Box
from portanet.tape.ops.batching import copies
from portanet.tape.trace import ForwardTrace, ReverseTrace
from portanet.tracing.compound import Compound
from portanet.tracing.interpret import (
    closure,
    current,
    has_rules,
    interpret,
    is_floating,
    reached,
    run,
)
from portanet.tracing.loops.body import BodyTrace, plain
from portanet.tracing.loops.branch import Branch
from portanet.tracing.loops.branch_rules import chosen_by, only
from portanet.tracing.loops.loop import Loop
from portanet.tracing.loops.retrace import Body, aligned, reads
from portanet.tracing.plan.simplify import without_dead_code
from portanet.tracing.program import Opaque, Program, Variable


@dataclass(eq=False, repr=False)
class While(Compound):
    """A loop that goes on for as long as a condition holds.

    Its operands are the first carry and the constants, its results the last carry.

    Parameters
    ----------
    backend : Backend
    count : int
        How many of the inputs of both programs are carried.
    condition : Program
        Gives one boolean.
    body : Program
        Gives the next carry.
    most : int or None
        How many steps there are at most.
    traces : tuple of BodyTrace, optional
        The recordings of both programs.
    """

    backend: Any
    count: int
    condition: Program
    body: Program
    most: int | None
    traces: tuple[BodyTrace | None, BodyTrace | None] = (None, None)

    name = "while_loop"

    def __repr__(self) -> str:
        return f"loop of steps of {len(self.body.operations)} operations"

    @property
    def xp(self) -> Any:
        return self.backend.xp

    @property
    def programs(self) -> list[Program]:
        return [self.condition, self.body]

    @classmethod
    def over(
        cls, of: Any, count: int, most: int | None, bodies: Sequence[Body], operands: Sequence[Any]
    ) -> tuple[While, list[Any]]:
        """Return the loop over the bodies of condition and step, and its operands."""
        (condition, body), operands = aligned(bodies, operands)
        traces = bodies[0].trace, bodies[1].trace
        return cls(of, count, condition, body, most, traces), operands

    def __call__(self, *operands: Any) -> tuple[Any, ...]:
        carry, constants = operands[: self.count], operands[self.count :]
        for _ in itertools.count() if self.most is None else range(self.most):
            if not run(self.condition, (*carry, *constants))[0]:
                break
            carry = tuple(run(self.body, (*carry, *constants)))
        return carry

    def sample(self, operands: Sequence[Any]) -> list[Any]:
        """See `Compound`: one step, since on guesses a loop need not end."""
        return run(self.body, operands)

    def for_trace(self, trace: Any, operands: Sequence[Any]) -> tuple[Any, Sequence[Any]]:
        if trace.keeps_rules or not any(has_rules(p.operations) for p in self.programs):
            return self, operands
        bodies = self._bodies(operands, keeps_rules=False)
        for body in bodies:
            body.outputs = body.run(body.boxes)
        return self.over(self.backend, self.count, self.most, bodies, operands)

    def _bodies(self, operands: Sequence[Any], keeps_rules: bool = True) -> list[Body]:
        pairs = zip(self.programs, self.traces, strict=True)
        return [Body(self.xp, program, t, operands, keeps_rules) for program, t in pairs]

    def _closure(self, sources: Iterable[int]) -> set[int]:
        """Return which inputs depend on others, by their numbers: these, and what is carried."""
        return closure(self.body, dict(enumerate(self.body.outputs)), sources)

    def run_forward(self, trace: ForwardTrace, args: Sequence[Any]) -> list[Any]:
        primals, argnums, tangents = trace.split(args)
        xp, n = self.xp, self.count
        given = dict(zip(argnums, tangents, strict=True))
        for i in self._closure(argnums) - given.keys():
            if is_floating(xp, primals[i]):
                given[i] = xp.zeros_like(primals[i])
        carried, fixed = ([i for i in sorted(given) if (i < n) is side] for side in (True, False))
        order = [*carried, *fixed]
        condition, step = self._bodies(primals)
        condition.outputs = condition.run(condition.boxes)
        inner, boxes = ForwardTrace(), list(step.boxes)
        for body in (condition, step):
            added = body.add([given[i] for i in order])
            own, k = body.boxes[: len(primals)], len(carried)
            body.boxes = [*own[:n], *added[:k], *own[n:], *added[k:]]
            if body is step:
                for i, t in zip(order, added, strict=True):
                    boxes[i] = xp.box(boxes[i], inner, t)
        outputs = step.run(boxes)
        moving = [i for i, y in enumerate(outputs) if isinstance(y, Box) and y.owner is inner]
        step.outputs = [y.value if i in moving else y for i, y in enumerate(outputs)]
        for i in carried:
            zero = xp.raw.zeros_like(plain(boxes[i]))
            step.outputs.append(outputs[i].note if i in moving else zero)
        operands = [
            *primals[:n], *(given[i] for i in carried), *primals[n:], *(given[i] for i in fixed),
        ]  # fmt: skip
        pushed, operands = self.over(
            self.backend, n + len(carried), self.most, (condition, step), operands
        )
        results = pushed.bind(operands)
        directions = dict(zip(carried, results[n:], strict=True))
        return [
            xp.box(y, trace, directions[i]) if i in directions else y
            for i, y in enumerate(results[:n])
        ]

    def run_reverse(self, trace: ReverseTrace, args: Sequence[Any]) -> list[Any]:
        if self.most is None:
            raise NoDerivativeError(UNBOUNDED)
        loop, operands = self.bounded(args)
        return loop.bind(operands)

    def bounded(self, operands: Sequence[Any]) -> tuple[Loop, list[Any]]:
        """Return the loop with a fixed number of steps that do nothing once the condition fails."""
        assert self.most is not None
        n = self.count
        condition = self._bodies(operands)[0]
        (going,) = condition.run(condition.boxes)
        unchanged = [_like(v) for v in self.body.inputs]
        still = Program(unchanged, [], list(unchanged[:n]))
        step = Branch(self.backend, (self.body, still), (self.traces[1], None))
        trace = condition.trace
        last = trace.noted(trace.run(step.bind, [going, *condition.boxes]))
        inputs = trace.noted(condition.boxes)
        constants = [*inputs[n:], *trace.noted([x for _, x in trace.captured])]
        loop = Loop(
            self.backend, self.most, False, constants, inputs[:n], [], trace.program.operations,
            last, [], [], trace,
        )  # fmt: skip
        return loop, [*operands[n:], *(x for x, _ in trace.captured), *operands[:n]]

    def run_batched(self, trace: BatchTrace, args: Sequence[Any]) -> list[Any]:
        """See `Compound`: an entry whose condition fails stays as it is while others go on."""
        xp, n, size = self.xp, self.count, trace.size
        own = {i for i, x in enumerate(args) if trace.owns(x)}
        arrays = {i for i, x in enumerate(args) if hasattr(x, "shape")}
        whole = self._closure(own) & arrays
        known = reached(self.condition.operations, (self.condition.inputs[i] for i in whole))
        apart = self.condition.outputs[0] in known
        if apart:
            whole |= arrays & set(range(n))
        values = [
            x.value if i in own else copies(xp, x, size) if i in whole else x
            for i, x in enumerate(args)
        ]
        condition, step = self._bodies(values)
        batch = _Batch(size, whole)
        if apart:
            (going,) = batch.run(condition.trace, self.condition, condition.boxes, {0})
            condition.outputs = [condition.trace.run(xp.any, going)]
            step.outputs = self._of_those_that_go_on(step, batch)
        else:
            condition.outputs = condition.run(condition.boxes)
            step.outputs = batch.run(step.trace, self.body, step.boxes, whole)
        batched, operands = self.over(self.backend, n, self.most, (condition, step), values)
        results = batched.bind(operands)
        return [xp.batch_box(y, trace, None) if i in whole else y for i, y in enumerate(results)]

    def _of_those_that_go_on(self, step: Body, batch: _Batch) -> list[Any]:
        """Return the next carry of the entries whose condition holds, and that of the others."""
        xp, boxes, trace = self.xp, step.boxes, step.trace
        (going,) = batch.run(trace, self.condition, boxes, {0})

        def safe() -> list[Any]:
            return [only(xp, going, x) if i in batch.whole else x for i, x in enumerate(boxes)]

        moved = batch.run(trace, self.body, trace.run(safe), batch.whole)

        def chosen() -> list[Any]:
            pairs = enumerate(zip(moved, boxes, strict=False))
            return [chosen_by(xp, going, y, x) if i in batch.whole else y for i, (y, x) in pairs]

        return trace.run(chosen)

    def mapped(self, change: Callable[[Program], Program]) -> While:
        condition, body = map(change, self.programs)
        return replace(self, condition=condition, body=body, traces=(None, None))

    def pruned(self, wanted: set[int]) -> tuple[While, list[int], dict[int, int]]:
        n, inputs = self.count, self.body.inputs
        live = set(wanted)
        while True:
            outputs = [self.body.outputs[i] for i in sorted(live)]
            short = without_dead_code(Program(inputs, self.body.operations, outputs))
            of_body = set(reads(short.operations, outputs))
            of_condition = set(reads(self.condition.operations, self.condition.outputs))
            pairs = enumerate(zip(self.condition.inputs, inputs, strict=True))
            read = {i for i, (a, b) in pairs if a in of_condition or b in of_body}
            if {i for i in read if i < n} <= live:
                break
            live |= {i for i in read if i < n}
        kept = [i for i in range(len(inputs)) if i in (live if i < n else read)]
        condition, body = (
            Program([p.inputs[i] for i in kept], p.operations, p.outputs)
            for p in (self.condition, short)
        )
        places = {old: new for new, old in enumerate(sorted(live))}
        return replace(self, count=len(live), condition=condition, body=body), kept, places


@dataclass(frozen=True)
class _Batch:
    """Which operands have the axis of a batch."""

    size: int
    whole: set[int]

    def run(
        self, trace: BodyTrace, program: Program, boxes: Sequence[Any], spread: set[int]
    ) -> list[Any]:
        """Run a program in a recording for all entries; the outputs `spread` have the axis."""
        xp, inner = trace.xp, BatchTrace(self.size)
        given = (
            xp.batch_box(x, inner, None) if i in self.whole else x for i, x in enumerate(boxes)
        )
        values = dict(zip(program.inputs, given, strict=True))
        trace.run(interpret, program.operations, values)
        return [
            y.value if inner.owns(y)
            else trace.run(copies, xp, y, self.size) if i in spread else y
            for i, y in enumerate(current(values, program.outputs))
        ]  # fmt: skip


def _like(v: Variable) -> Variable:
    return Opaque() if isinstance(v, Opaque) else Variable(v.shape, v.dtype)
