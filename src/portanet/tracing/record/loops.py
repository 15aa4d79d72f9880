"""A loop in a recording: its step is recorded once, and so is the step of its derivative."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from portanet.errors import TracedValueError
from portanet.tape.box import Box
from portanet.tape.bundle import Bundle
from portanet.tape.primitive import Primitive
from portanet.tape.trace import ReverseTrace
from portanet.tracing.plan.motion import Outside
from portanet.tracing.plan.simplify import without_repeats, without_unused
from portanet.tracing.program import Operation, Program, Variable
from portanet.tracing.record.bodies import BodyTrace, Missed, check_recorded, plain
from portanet.tracing.record.cycles import LOOP, Cycle, Emitted, emit
from portanet.tracing.record.pullbacks import Backward, reads
from portanet.tracing.record.record import RecordTrace

Step = Callable[..., tuple[list[Any], list[Any]]]


class Scan:
    """One loop in a recording, and its derivative.

    It is run where `guard`, an array of one boolean, is true or None.
    """

    def __init__(
        self,
        outer: RecordTrace,
        reverse_trace: ReverseTrace | None,
        backend: Any,
        step: Step,
        carry: Sequence[Any],
        xs: Sequence[Any],
        length: int,
        reverse: bool,
        guard: Any = None,
    ) -> None:
        self.guard = guard
        self.outer = outer
        self.reverse_trace = reverse_trace
        self.backend = backend
        self.step = step
        self.init = list(carry)
        self.xs = list(xs)
        self.length = length
        self.reverse = reverse
        self._record()
        self._emit()

    def _record(self) -> None:
        """Record one step; again, while more of the carry turns out to be differentiated."""
        active = {i for i, x in enumerate(self.init) if self._is_active(x)}
        while True:
            self.body = body = BodyTrace(self.outer, self.reverse_trace)
            self.carry = [body.stand_in(plain(x)) for x in self.init]
            self.rows = [body.stand_in(self._row(x)) for x in self.xs]
            try:
                outputs = body.run(self._run, active)
            except Missed as missed:
                if self.reverse_trace is not None or not isinstance(missed.trace, ReverseTrace):
                    raise
                self.reverse_trace = missed.trace
                continue
            found = {i for i, y in enumerate(outputs[0]) if self.is_mirrored(y)}
            if found <= active:
                break
            active |= found
        self.active = sorted(active)
        self.last, self.stacked = outputs
        self.forward = len(body.program.operations)
        self.captured = len(body.captured)

    def _run(self, active: set[int]) -> tuple[list[Any], list[Any]]:
        body, mirror = self.body, self.body.mirror
        carry, rows = list(self.carry), list(self.rows)
        if mirror is not None:
            for i in active:
                carry[i] = mirror.root(carry[i])
            for i, x in enumerate(self.xs):
                if self._is_active(x):
                    rows[i] = mirror.root(rows[i])
        self.carry_boxes, self.row_boxes = carry, rows
        last, ys = self.step(carry, rows)
        return [body.resolve(y) for y in last], [body.resolve(y) for y in ys]

    def _is_active(self, x: Any) -> bool:
        return isinstance(x, Box) and x.owner is self.reverse_trace

    def is_mirrored(self, x: Any) -> bool:
        return isinstance(x, Box) and x.owner is self.body.mirror

    def _row(self, x: Any) -> Any:
        value = plain(x)
        return value[self.length - 1 if self.reverse else 0, ...]

    def _emit(self) -> None:
        """Put the loop into the recording, and its call into the reverse trace."""
        operations = self.body.program.operations
        program = without_unused(
            without_repeats(Program([], operations, self.noted()), self.folds())
        )
        self.outside = Outside(self.outer.xp, self.length)
        for box, x in zip(self.rows, self.xs, strict=True):
            self.outside.columns[box.note] = self.resolved(x)
        self.look_around()
        kept = self.outside.moved(program.operations) if self.guard is None else program.operations
        self.before = {**self.outside.fixed}, {**self.outside.columns}
        n, outputs = len(self.last), program.outputs
        init = [self.resolved(x) for x in self.init]
        carry = [self.note_of(x) for x in self.carry]
        self.emitted = self.emit(carry, init, kept, outputs[:n], outputs[n:], self.reverse)
        self.count = n + len(self.stacked)
        if self.reverse_trace is not None:
            self._note(self.reverse_trace)

    def look_around(self) -> None:
        """Note what the body has taken from around it."""
        for x, own in self.body.captured:
            self.outside.fixed[self.note_of(own)] = x

    def emit(
        self,
        carry: list[Variable],
        init: Sequence[Any],
        operations: list[Operation],
        last: list[Any],
        stacked: list[Any],
        reverse: bool,
        summed: Sequence[Any] = (),
    ) -> Emitted:
        """Put a loop into the recording."""
        cycle, constants, columns = self.cycle(carry, operations, last, stacked, reverse, summed)
        return emit(self.outer, cycle, constants, init, columns, self.guard)

    def folds(self) -> Any:
        return self.backend.xp if self.backend.jit == "source" else None

    def noted(self) -> list[Any]:
        return [self.note_of(y) for y in (*self.last, *self.stacked)]

    def note_of(self, y: Any) -> Any:
        """Return the variable of a value of the body, or the constant that it is."""
        if self.is_mirrored(y):
            y = y.value
        if isinstance(y, Box):
            return y.note
        return y.variable if hasattr(y, "variable") else y

    def cycle(
        self,
        carry: list[Variable],
        operations: list[Operation],
        last: list[Any],
        stacked: list[Any],
        reverse: bool,
        summed: Sequence[Any] = (),
    ) -> tuple[Cycle, list[Any], list[Any]]:
        """Return a loop, its constants and the arrays whose rows it reads."""
        fixed, columns = self.outside.fixed, self.outside.columns
        read = reads(operations, [*last, *stacked, *summed])
        constants, rows = [v for v in read if v in fixed], [v for v in read if v in columns]
        cycle = Cycle(
            self.backend, self.length, reverse, constants, carry, rows, operations, last, stacked,
            list(summed),
        )  # fmt: skip
        return cycle, [fixed[v] for v in constants], [columns[v] for v in rows]

    def resolved(self, x: Any) -> Any:
        """Return an array as one of the recording, without its derivative."""
        if self._is_active(x):
            x = x.value
        return self.outer.resolve(x) if isinstance(self.outer, BodyTrace) else x

    def _note(self, trace: ReverseTrace) -> None:
        """Write the call down in the reverse trace."""
        mirror = self.body.mirror
        assert mirror is not None
        self.constant_roots = list(mirror.roots)
        self.active_rows = [i for i, x in enumerate(self.xs) if self._is_active(x)]
        self.active_init = [i for i, x in enumerate(self.init) if self._is_active(x)]
        boxes = [self.init[i] for i in self.active_init]
        boxes += [self.xs[i] for i in self.active_rows]
        boxes += [x for x, _ in self.constant_roots]
        if not boxes:
            self.bundle = None
            return
        values = [x.value for x in boxes]
        results = tuple(self.emitted.part(i) for i in range(self.count))
        primitive = _Pull(self)
        places = list(range(len(boxes)))
        note = trace.note(primitive, results, values, {}, places, [x.note for x in boxes])
        self.bundle = Bundle(results, trace, note)

    def outputs(self) -> tuple[list[Any], list[Any]]:
        """Return the last carry and the stacked results."""
        found = []
        for i, y in enumerate((*self.last, *self.stacked)):
            if self.is_mirrored(y):
                found.append(self.outer.xp.part(self.bundle, i))
                continue
            part = self.emitted.part(i)
            if i < len(self.last) and isinstance(part, Box):
                sample = y.value if isinstance(y, Box) else y
                if isinstance(sample, np.generic):
                    part.value = part.value[()]
            found.append(part)
        n = len(self.last)
        return found[:n], found[n:]

    def pull(self, cotangents: dict[int, Any]) -> list[Any]:
        """Return the cotangents of what the reverse trace has noted as arguments."""
        try:
            for g in cotangents.values():
                check_recorded(self.outer, g)
        except Missed:
            return Backward(self, cotangents, unrolled=True).results()
        return Backward(self, cotangents).results()


class _Pull(Primitive):
    """The call of a loop, as a reverse trace notes it."""

    __slots__ = ("scan",)

    def __init__(self, scan: Scan) -> None:
        super().__init__(LOOP, _no_call, scan.outer.xp, Bundle)
        self.scan = scan
        self.pull = self._pull

    def _pull(self, primitive, cotangent, result, args, kwargs, argnums):
        return self.scan.pull(cotangent.parts)


def _no_call(*_: Any) -> Any:
    raise TracedValueError("a recorded loop was kept and used after the call")
