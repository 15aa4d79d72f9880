"""`cond` where the condition has several values: those of a batch, or of the calls to come."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from portanet.tape.batched import Batched
from portanet.tape.box import Box
from portanet.tracing.loops.again import Body
from portanet.tracing.loops.branch import Branch


def recorded_cond(
    backend: Any,
    predicate: Any,
    true_function: Callable[..., list[Any]],
    false_function: Callable[..., list[Any]],
    operands: Sequence[Any],
) -> list[Any]:
    """Record both functions; see `Backend.cond`."""
    functions = true_function, false_function
    bodies = [Body.recorded(backend.xp, function, operands) for function in functions]
    branch, operands = Branch.over(backend, bodies, [predicate, *operands])
    return branch.bind(operands)


def is_open(x: Any) -> bool:
    """Whether a condition has no single value: it is of a batch or of a recording."""
    while isinstance(x, Box):
        if x.recorded or isinstance(x, Batched):
            return True
        x = x.value
    return False
