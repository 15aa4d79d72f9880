"""The adapter of a library whose derivatives come from the tape."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

from portanet import tape
from portanet.interface import loops
from portanet.interface.backend import Array, Backend, Function
from portanet.tape import batch
from portanet.tape.custom import traces
from portanet.tape.observe import ObserveTrace
from portanet.tape.trace import ReverseTrace
from portanet.tracing.loops.body import is_in_body, is_recording
from portanet.tracing.loops.recorded import (
    is_open,
    recorded_cond,
    recorded_scan,
    recorded_while,
)


class TapeBackend(Backend):
    """A library without differentiation of its own: the tape supplies it."""

    jit = "calls"
    differentiates_itself = False

    def vjp(
        self, function: Function, primals: Sequence[Array]
    ) -> tuple[list[Array], Callable[[Sequence[Array | None]], list[Array | None]]]:
        return tape.vjp(function, primals, self._box)

    def jvp(
        self, function: Function, primals: Sequence[Array], tangents: Sequence[Array]
    ) -> tuple[list[Array], list[Array | None]]:
        return tape.jvp(function, primals, tangents, self._box)

    def custom(self, operation: tape.Operation, arrays: Sequence[Array]) -> list[Array]:
        return tape.custom(operation, arrays, self.xp)

    def checkpoint(self, function: Function, arrays: Sequence[Array]) -> Sequence[Array]:
        """Recompute; in the body of a recorded loop all is there once and is not."""
        if is_in_body():
            return function(*arrays)
        return tape.checkpoint(function, arrays, self)

    def vmap(
        self, function: Function, arrays: Sequence[Array], axes: Sequence[int | None]
    ) -> list[Array | None]:
        return batch.vmap(function, arrays, axes, self.xp)

    def scan(
        self,
        step: Callable[..., tuple[list[Array], list[Array]]],
        carry: Sequence[Array],
        xs: Sequence[Array],
        length: int,
        reverse: bool,
    ) -> tuple[list[Array], list[Array]] | None:
        """Inside `jit`, record one step and replay it where that can be."""
        return recorded_scan(self, step, carry, xs, length, reverse)

    def observe(
        self, function: Function, arrays: Sequence[Array], observer: Callable[..., Any]
    ) -> Sequence[Array]:
        trace = ObserveTrace(observer, self.xp)
        return [trace.lower(y) for y in function(*map(trace.lift, arrays))]

    def cond(
        self,
        predicate: Array,
        true_function: Callable[..., list[Array]],
        false_function: Callable[..., list[Array]],
        operands: Sequence[Array],
    ) -> list[Array]:
        """Choose by the value; inside `jit`, in each replay; in a batch, for each entry."""
        if is_open(predicate):
            return recorded_cond(self, predicate, true_function, false_function, operands)
        return super().cond(predicate, true_function, false_function, operands)

    def while_loop(
        self,
        condition: Callable[..., Array],
        step: Callable[..., list[Array]],
        carry: Sequence[Array],
        most: int | None,
    ) -> list[Array]:
        """Loop in Python; inside `jit` and for a batch, over bodies that are recorded once."""
        open_loop = functools.partial(recorded_while, self)
        if is_recording(self.xp):
            return open_loop(condition, step, carry, most)
        return loops.while_loop(condition, step, carry, most, _is_reversed, is_open, open_loop)

    def _box(self, x: Array) -> type[tape.Box]:
        return self.xp.box


def _is_reversed(x: Array) -> bool:
    """Whether an array is differentiated in reverse mode, in whatever other traces."""
    return any(isinstance(trace, ReverseTrace) for trace in traces(x))
