"""The derivative of a recorded loop: a loop backwards that reads what the one forward stacks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from portanet.errors import NoDerivativeError
from portanet.tracing.plan.motion import Afterwards
from portanet.tracing.plan.simplify import without_repeats, without_unused
from portanet.tracing.program import Opaque, Operation, Program, Variable
from portanet.tracing.record.bodies import plain
from portanet.tracing.record.cycles import OF_BRANCH, unrolled


class Backward:
    """One walk backwards through a loop.

    Parameters
    ----------
    scan : Scan
    cotangents : dict
        Those of its outputs, by their numbers.
    unrolled : bool
        Whether to compute step by step: for cotangents that are in other traces.
    """

    def __init__(self, scan: Any, cotangents: dict[int, Any], unrolled: bool = False) -> None:
        self.scan = scan
        self.body = body = scan.body
        self.unrolled = unrolled
        mirror = body.mirror
        assert mirror is not None
        n, raw = len(scan.last), scan.outer.xp.raw
        self.init = [
            cotangents[i] if i in cotangents else raw.zeros_like(plain(scan.init[i]))
            for i in scan.active
        ]
        self.carry = [body.stand_in(plain(scan.init[i])) for i in scan.active]
        self.given = [i for i in sorted(cotangents) if i >= n]
        self.columns = [cotangents[i] for i in self.given]
        self.rows = [body.stand_in(plain(scan.stacked[i - n])) for i in self.given]
        seeds = [
            (scan.last[i].note, g)
            for i, g in zip(scan.active, self.carry, strict=True)
            if scan.is_mirrored(scan.last[i])
        ]
        seeds += [(scan.stacked[i - n].note, g) for i, g in zip(self.given, self.rows, strict=True)]
        roots = [scan.carry_boxes[i].note for i in scan.active]
        roots += [scan.row_boxes[i].note for i in scan.active_rows]
        roots += [root for _, root in scan.constant_roots]
        self.start = len(body.program.operations)
        found = body.run(mirror.pull, seeds, roots)
        found = [None if g is None else scan.note_of(body.resolve(g)) for g in found]
        a, b = len(scan.active), len(scan.active) + len(scan.active_rows)
        self.last = [
            raw.zeros_like(plain(x)) if g is None else g
            for g, x in zip(found[:a], self.carry, strict=True)
        ]
        self.stacked, self.summed = found[a:b], found[b:]
        self._emit()

    def _emit(self) -> None:
        scan = self.scan
        recorded = self.body.program.operations
        operations = [*recorded[: scan.forward], *recorded[self.start :]]
        outputs = [*scan.noted(), *self.last, *self.stacked, *self.summed]
        program = without_repeats(Program([], operations, outputs), scan.folds())
        ahead = {op.result for op in recorded[: scan.forward]}
        n, a = scan.count, len(self.last)
        b = n + a + len(self.stacked)
        last, stacked = program.outputs[n : n + a], program.outputs[n + a : b]
        summed = program.outputs[b:]
        first, second, read = _parted(program.operations, ahead, [*last, *stacked, *summed])
        scan.look_around()
        outside = scan.outside
        carry = [x.note for x in self.carry]
        for x, column in zip(self.rows, self.columns, strict=True):
            outside.columns[x.note] = column
        for v in read:
            if v not in outside.fixed and v not in outside.columns and v not in carry:
                outside.columns[v] = self._residual(v, first)
        if self.unrolled:
            if scan.guard is not None:
                raise NoDerivativeError(OF_BRANCH)
            cycle, constants, columns = scan.cycle(
                carry, second, last, [g for g in stacked if g is not None], not scan.reverse,
                [g for g in summed if g is not None],
            )  # fmt: skip
            parts = iter(unrolled(cycle, constants, self.init, columns))
            self.carry_parts = [next(parts) for _ in last]
            rows, sums = (
                [g if g is None else next(parts) for g in group] for group in (stacked, summed)
            )
        else:
            kept = outside.moved(second) if scan.guard is None else second
            made = kept if scan.guard is None else []
            later = Afterwards(outside, made, last, stacked, summed)
            outputs = [*last, *later.wanted, *later.sums]
            kept = without_unused(Program([], kept, outputs)).operations
            emitted = scan.emit(
                carry, self.init, kept, last, later.wanted, not scan.reverse, later.sums
            )
            parts = [emitted.part(i) for i in range(len(outputs))]
            self.carry_parts = parts[:a]
            end = a + len(later.wanted)
            rows, sums = later.results(parts[a:end], parts[end:])
        self.row_parts = self._filled(rows, [scan.xs[i] for i in scan.active_rows])
        self.sum_parts = self._filled(sums, [x for x, _ in scan.constant_roots])

    def _filled(self, parts: Sequence[Any], like: Sequence[Any]) -> list[Any]:
        zeros_like = self.scan.outer.xp.raw.zeros_like
        pairs = zip(parts, like, strict=True)
        return [zeros_like(plain(x)) if part is None else part for part, x in pairs]

    def _residual(self, v: Variable, first: list[Operation]) -> Any:
        """Let the loop forward stack what the one backward reads; return it."""
        scan = self.scan
        emitted, cycle = scan.emitted, scan.emitted.cycle
        fixed, columns = scan.before
        found = [i for i, y in enumerate(cycle.stacked) if y is v]
        if not found:
            found = [len(cycle.stacked)]
            cycle.stacked.append(v)
            outputs = [*cycle.last, *cycle.stacked]
            inside = [op for op in first if op.result not in fixed and op.result not in columns]
            cycle.operations[:] = without_unused(Program([], inside, outputs)).operations
            for u in reads(cycle.operations, outputs):
                for group, known, own in (
                    (0, fixed, cycle.constants), (2, columns, cycle.rows),
                ):  # fmt: skip
                    if u in known and u not in own:
                        own.append(u)
                        emitted.add_input(group, known[u])
            emitted.run()
        return emitted.part(len(cycle.last) + found[0])

    def results(self) -> list[Any]:
        scan = self.scan
        carry = [self.carry_parts[scan.active.index(i)] for i in scan.active_init]
        return [*carry, *self.row_parts, *self.sum_parts]


def _parted(
    operations: Sequence[Operation], ahead: set[Variable], outputs: Sequence[Any]
) -> tuple[list[Operation], list[Operation], list[Variable]]:
    """Part a step into what its forward loop computes and what its backward loop does.

    Returns also the variables of the first that the second reads.
    """
    ahead = set(ahead)
    first = []
    for op in operations:
        if op.result in ahead:
            first.append(op)
        elif any(isinstance(v, Opaque) and v in ahead for v in op.operands):
            ahead.add(op.result)
            first.append(op)
    needed = {y for y in outputs if isinstance(y, Variable)}
    second, made = [], {op.result for op in first}
    for op in reversed(operations):
        if op.result in needed and op.result not in made:
            second.append(op)
            needed.update(op.operands)
    inside = {op.result for op in second}
    return first, second[::-1], [v for v in needed if v not in inside]


def reads(operations: Sequence[Operation], outputs: Sequence[Any]) -> list[Variable]:
    """Return the variables that a step takes from elsewhere."""
    made = {op.result for op in operations}
    used = [v for op in operations for v in op.operands]
    used += [y for y in outputs if isinstance(y, Variable)]
    return [v for v in dict.fromkeys(used) if v not in made]
