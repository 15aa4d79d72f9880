"""Reverse mode through a loop: a loop backwards that reads what the one forward has stacked.

The loop forward stacks all that its steps compute, since what the one backward reads is known no
sooner than the cotangents are; what nothing reads is dropped when the whole program is there.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

from portanet.errors import NoDerivativeError
from portanet.tape.box import Box
from portanet.tape.bundle import Bundle
from portanet.tape.ops.card import Card
from portanet.tape.primitive import Primitive
from portanet.tape.trace import ReverseTrace
from portanet.tracing.interpret import is_floating
from portanet.tracing.loops.body import plain
from portanet.tracing.loops.retrace import LoopBody, reads
from portanet.tracing.plan.simplify import without_common_subexpressions
from portanet.tracing.program import HostFunction, Opaque, Operation, Program, Variable


def run_reverse(loop: Any, trace: ReverseTrace, args: Sequence[Any]) -> list[Any]:
    """Run a loop on arrays that are differentiated; see `Compound.run_reverse`."""
    values, argnums, notes = trace.split(args)
    pull = Pullback(loop, values, argnums)
    note = trace.note(pull, pull.results, values, {}, argnums, notes)
    bundle = Bundle(pull.results, trace, note)
    return [
        loop.xp.part(bundle, i) if i in pull.differentiated else y
        for i, y in enumerate(pull.results)
    ]


class Pullback(Primitive):
    """The call of a loop, as a reverse trace notes it.

    Attributes
    ----------
    results : tuple
        The results of the loop.
    differentiated : dict
        Those of its outputs that have derivatives, as the trace of its body has them.
    """

    __slots__ = (
        "_active", "_body", "_count", "_inner", "_loop", "_roots", "_stacks", "_values",
        "differentiated", "results",
    )  # fmt: skip

    def __init__(self, loop: Any, values: Sequence[Any], argnums: Sequence[int]) -> None:
        super().__init__(Card(loop.name), loop, loop.xp, Bundle)
        self.pull = self._pull
        self._loop = loop
        self._values = values
        self._body = body = LoopBody(loop, values)
        self._inner = inner = ReverseTrace()
        found = loop.closure(argnums)
        self._active = [i for i in sorted(found) if is_floating(loop.xp, values[i])]
        self._roots = {i: object() for i in self._active}
        boxes: list[Any] = list(body.boxes)
        for i, root in self._roots.items():
            boxes[i] = loop.xp.box(boxes[i], inner, root)
        outputs = body.run(boxes)
        self.differentiated = {
            i: y for i, y in enumerate(outputs) if isinstance(y, Box) and y.owner is inner
        }
        outputs = [y.value if i in self.differentiated else y for i, y in enumerate(outputs)]
        body.trace.run(self._complete)
        forward, _ = body.loop(outputs, {})
        self._count = len(forward.operations)
        made = (op.result for op in forward.operations)
        kept = [v for v in (*forward.carry, *made) if not isinstance(v, Opaque)]
        n, m = len(loop.last), len(loop.last) + len(loop.stacked)
        forward = dataclasses.replace(
            forward, stacked=[*forward.stacked, *kept],
            hidden=forward.hidden | {m - n + i for i in range(len(kept))},
        )  # fmt: skip
        results = forward.bind(body.operands(values))
        self.results = *results[:m], *results[m + len(kept) :]
        self._stacks = dict(zip(kept, results[m : m + len(kept)], strict=True))

    def _complete(self) -> None:
        """Read all results of the operations with several: one backwards may need any of them."""
        trace = self._body.trace
        for x in list(self._body.values.values()):
            bundle = x.value if isinstance(x, Bundle) and x.owner is self._inner else x
            if isinstance(bundle, Bundle):
                for i in range(len(bundle.value)):
                    trace.xp.part(bundle, i)

    def _pull(self, primitive, cotangent, result, args, kwargs, argnums):
        found = Backward(self, cotangent.parts).results
        return [found[i] for i in argnums]


class Backward:
    """One walk backwards through a loop.

    Parameters
    ----------
    pullback : Pullback
    cotangents : dict
        Those of the results, by their numbers.

    Attributes
    ----------
    results : dict
        The cotangents of the operands, by their numbers.
    """

    def __init__(self, pullback: Pullback, cotangents: dict[int, Any]) -> None:
        self.of = pullback
        self.loop = loop = pullback._loop
        self.trace = pullback._body.trace
        self.carry: list[tuple[Variable, Any]] = []
        """The variables of carried cotangents, with what they begin with."""
        self.constants: dict[Variable, Any] = {}
        self.rows: dict[Variable, Any] = {}
        """What is read, with the operand that it comes from."""
        k, n = len(loop.constants), len(loop.carry)
        active = pullback._active
        self.carried = [i for i in active if k <= i < k + n]
        start = len(self.trace.program.operations)
        seeds = self._seeds(cotangents)
        found = self.trace.run(pullback._inner.pull, seeds, [pullback._roots[i] for i in active])
        parts = dict(zip(active, found, strict=True))
        for i in self.carried:
            if parts[i] is None:
                parts[i] = loop.xp.raw.zeros_like(plain(pullback._body.boxes[i]))
        some = [i for i in active if parts[i] is not None]
        self.order = [
            *self.carried, *(i for i in some if i >= k + n), *(i for i in some if i < k),
        ]  # fmt: skip
        outputs = self.trace.noted([parts[i] for i in self.order])
        results = self._made(start, outputs, sum(i >= k + n for i in some))
        self.results = dict(zip(self.order, results, strict=True))
        for i in active:
            if i not in self.results:
                self.results[i] = loop.xp.zeros_like(pullback._values[i])

    def _seeds(self, cotangents: dict[int, Any]) -> list[tuple[Any, Any]]:
        """Return the cotangents in a step, each with the call that it belongs to."""
        of, loop, trace = self.of, self.loop, self.trace
        k, n, m = len(loop.constants), len(loop.last), len(loop.last) + len(loop.stacked)
        seeds = []
        for i in self.carried:
            g = cotangents.get(i - k)
            g = loop.xp.zeros_like(of._values[i]) if g is None else g
            stand_in = trace.stand_in(g)
            self.carry.append((stand_in.note, g))
            if i - k in of.differentiated:
                seeds.append((of.differentiated[i - k].note, stand_in))
        for i, g in sorted(cotangents.items()):
            if i < n or i not in of.differentiated:
                continue
            stand_in = trace.stand_in(plain(g)[0, ...] if i < m else g)
            (self.rows if i < m else self.constants)[stand_in.note] = g
            seeds.append((of.differentiated[i].note, stand_in))
        return seeds

    def _made(self, start: int, outputs: list[Any], stacked: int) -> list[Any]:
        """Return the results of the loop backwards; `outputs` are those of a step."""
        of, loop, trace = self.of, self.loop, self.trace
        recorded = trace.program.operations
        operations = [*recorded[: of._count], *recorded[start:]]
        folds = loop.xp if loop.backend.jit == "source" else None
        program = without_common_subexpressions(Program([], operations, outputs), folds)
        boxes = of._body.boxes
        constants, _, columns = loop.grouped(of._values)
        names, _, row_names = loop.grouped(trace.noted(boxes))
        self.constants.update(zip(names, constants, strict=True))
        self.constants.update({trace._variable(own): x for x, own in trace.captured})
        self.rows.update(zip(row_names, columns, strict=True))
        self.rows.update(of._stacks)
        ahead = {op.result for op in recorded[: of._count]}
        second = _behind(program, ahead, set(self.constants))
        read = reads(second, program.outputs)
        if any(isinstance(v, Opaque) and v not in self.constants for v in read):
            raise NoDerivativeError("a random draw in the derivative of a loop: draw in the loop")
        own = [v for v in read if v in self.constants]
        rows = [v for v in read if v in self.rows]
        a, b = len(self.carried), len(self.carried) + stacked
        backwards = dataclasses.replace(
            loop, backwards=not loop.backwards, constants=own, carry=[v for v, _ in self.carry],
            rows=rows, operations=second, last=program.outputs[:a], stacked=program.outputs[a:b],
            summed=program.outputs[b:], trace=trace, hidden=frozenset(), guessed=True,
        )  # fmt: skip
        operands = [self.constants[v] for v in own]
        operands += [g for _, g in self.carry]
        return backwards.bind([*operands, *(self.rows[v] for v in rows)])


def _behind(program: Program, ahead: set[Variable], fixed: set[Variable]) -> list[Operation]:
    """Return the operations of a step backwards.

    What those `ahead`, of the step forward, compute of what is the same in each step is computed
    again, once for all steps: rows would hold it as often as there are steps.
    """
    fixed = set(fixed)
    for op in program.operations:
        host = isinstance(op.primitive, HostFunction) or isinstance(op.result, Opaque)
        if op.result in ahead and not host and fixed.issuperset(op.operands):
            fixed.add(op.result)
    needed = {y for y in program.outputs if isinstance(y, Variable)}
    found = []
    for op in reversed(program.operations):
        if op.result in needed and (op.result not in ahead or op.result in fixed):
            found.append(op)
            needed.update(op.operands)
    return found[::-1]
