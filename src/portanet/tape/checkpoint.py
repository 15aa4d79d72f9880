"""Calls that are recomputed in the backward pass instead of being stored.

A checkpointed call is one operation whose derivative runs the function again. Arrays that the
function takes from around it, a model's parameters say, become arguments of that operation: while
the function runs, the traces that such arrays are in hand every call on with other arrays in their
places, plain ones the first time, those of the recomputation later.
"""

from __future__ import annotations

import contextvars
from collections.abc import Callable, Iterable, Sequence
from contextvars import ContextVar
from functools import cache
from typing import Any

from portanet.errors import TracedValueError
from portanet.tape.box import Box, settle, strip, taken_out
from portanet.tape.bundle import Bundle
from portanet.tape.custom_rule import boxes, is_traced, traces
from portanet.tape.recompute import recomputed
from portanet.tape.trace import Trace, call, settle_all

Function = Callable[..., Sequence[Any]]


def checkpoint(function: Function, arrays: Sequence[Any], backend: Any) -> list[Any]:
    """Call `function` on arrays of `backend`, to be recomputed when it is differentiated.

    Returns a list of arrays.
    """
    arrays = taken_out(list(arrays))
    context = contextvars.copy_context()  # that of the first run is that of every other
    outputs, captured = _first_run(function, arrays)
    count = len(arrays)

    def again(*inputs: Any) -> list[Any]:
        _watch(trace for x in inputs for trace in traces(x))
        stand_ins = {id(x): y for x, y in zip(captured, inputs[count:], strict=True)}
        run = _Run(stand_ins)
        outputs = context.copy().run(_run, function, inputs[:count], run)
        _check_same(outputs, inputs, run)
        return outputs

    return recomputed(again, [*arrays, *captured], backend, outputs, _copy)


def _copy(x: Any) -> Any:
    """Return a box of its own, which is not the one that a function has captured."""
    return type(x)(x.value, x.owner, x.note) if isinstance(x, Box) else x


class _Run:
    """One run of a checkpointed function: what stands in for the arrays that it captures.

    The first time they are collected, and their plain values stand in for them.
    """

    __slots__ = ("captured", "level", "stand_ins")

    def __init__(self, stand_ins: dict[int, Any] | None = None) -> None:
        self.level = Trace().level
        self.stand_ins = stand_ins
        self.captured: dict[int, Any] = {}

    def stand_in(self, x: Any) -> Any:
        if not isinstance(x, Box) or isinstance(x, Bundle) or x.owner.level > self.level:
            return x
        if self.stand_ins is not None:
            return self.stand_ins.get(id(x), x)
        settle(x)
        if is_traced(x):
            self.captured[id(x)] = x
        return strip(x)


_current: ContextVar[_Run | None] = ContextVar("portanet_checkpoint", default=None)


def _run(function: Function, arrays: Sequence[Any], run: _Run) -> list[Any]:
    token = _current.set(run)
    try:
        return [
            run.stand_in(y) if _is_watched(y) else y for y in taken_out(list(function(*arrays)))
        ]
    finally:
        _current.reset(token)


def _check_same(outputs: Sequence[Any], inputs: Sequence[Any], run: _Run) -> None:
    """Refuse results in a trace of which the first run has captured nothing."""
    known = {trace for x in inputs for trace in traces(x)}
    for y in outputs:
        for box in boxes(y):
            if not box.lifted and box.owner.level < run.level and box.owner not in known:
                raise TracedValueError(
                    "a checkpointed function uses other arrays when it is run again: it must do "
                    "the same each time it is called"
                )


def _is_watched(x: Any) -> bool:
    return isinstance(x, Box) and isinstance(x.owner, _Watched)


def _first_run(function: Function, arrays: Sequence[Any]) -> tuple[list[Any], list[Any]]:
    """Return the plain results of a function and the traced arrays that it captures."""
    settle_all(arrays)
    known = {trace for x in arrays for trace in traces(x)}
    plain = [strip(x) for x in arrays]
    while True:
        _watch(known)
        run = _Run()
        outputs = _run(function, plain, run)
        missed = {t for y in outputs for t in traces(y) if t.level < run.level} - known
        if not missed:
            break
        known |= missed
    if any(map(is_traced, outputs)):
        raise TracedValueError(
            "a checkpointed function computes in threads of its own: compute in the calling thread"
        )
    return outputs, list(run.captured.values())


class _Watched:
    """A trace from which checkpointed functions capture arrays."""

    __slots__ = ()

    def process(self: Any, primitive: Any, args: Sequence[Any], kwargs: dict[str, Any]) -> Any:
        run = _current.get()
        if run is None or self.level > run.level:
            return super().process(primitive, args, kwargs)  # pyright: ignore
        replaced = [run.stand_in(x) for x in args]
        if all(new is old for new, old in zip(replaced, args, strict=True)):
            return super().process(primitive, args, kwargs)  # pyright: ignore
        return call(primitive, replaced, kwargs)

    def process_compound(self: Any, compound: Any, args: Sequence[Any]) -> list[Any]:
        run = _current.get()
        if run is not None and self.level <= run.level:
            replaced = [run.stand_in(x) for x in args]
            if any(new is not old for new, old in zip(replaced, args, strict=True)):
                return compound.bind(replaced)
        return super().process_compound(compound, args)  # pyright: ignore


@cache
def _watched(kind: type) -> type:
    return type(f"Watched{kind.__name__}", (_Watched, kind), {"__slots__": ()})


def _watch(met: Iterable[Any]) -> None:
    """Let traces ask, on each call, whether a checkpointed function is running.

    Only traces that a checkpoint has met pay for it.
    """
    for trace in met:
        if not isinstance(trace, _Watched):
            trace.__class__ = _watched(type(trace))
