"""`cond` where the condition has several values: those of a batch, or of the calls to come."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from portanet.tape.batched import Batched
from portanet.tape.box import Box
from portanet.tracing.loops.body import BodyTrace
from portanet.tracing.loops.branch import Side, bound


def recorded_cond(
    backend: Any,
    predicate: Any,
    true_function: Callable[..., list[Any]],
    false_function: Callable[..., list[Any]],
    operands: Sequence[Any],
) -> list[Any]:
    """Record both functions; see `Backend.cond`."""
    sides = []
    for function in (true_function, false_function):
        side = Side(BodyTrace(backend.xp), operands)
        side.outputs = side.trace.run(function, *side.boxes)
        sides.append(side)
    return bound(backend, sides, [predicate, *operands])


def is_open(x: Any) -> bool:
    """Whether a condition has no single value: it is of a batch or of a recording."""
    while isinstance(x, Box):
        if x.recorded or isinstance(x, Batched):
            return True
        x = x.value
    return False
