"""`scan`, `cond` and `while_loop` where their functions are recorded."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from portanet.interface import is_array_of
from portanet.tape.batched import Batched
from portanet.tape.box import Box
from portanet.tracing.interpret import is_array
from portanet.tracing.loops.body import BodyTrace, plain
from portanet.tracing.loops.branch import Branch
from portanet.tracing.loops.loop import Loop
from portanet.tracing.loops.retrace import Body
from portanet.tracing.loops.while_loop import While
from portanet.tracing.record.record import recording

Step = Callable[..., tuple[list[Any], list[Any]]]


def recorded_scan(
    backend: Any, step: Step, carry: Sequence[Any], xs: Sequence[Any], length: int, reverse: bool
) -> tuple[list[Any], list[Any]] | None:
    """Record the step of a loop once, if this is a recording; see `Backend.scan`.

    None where the loop is to be one of Python.
    """
    outer = recording.get()
    if outer is None or length == 0 or outer.xp is not backend.xp:
        return None
    body = BodyTrace(backend.xp)
    first = length - 1 if reverse else 0
    inputs = [body.stand_in(x) for x in carry]
    rows = [body.stand_in(plain(x)[first, ...]) for x in xs]
    last, stacked = body.run(step, inputs, rows)
    if any(is_array(y) and not is_array_of(backend, y) for y in stacked):
        return None
    last, stacked = body.noted(last), body.noted(stacked)
    loop = Loop(
        backend, length, reverse, body.noted([x for _, x in body.captured]), body.noted(inputs),
        body.noted(rows), body.program.operations, last, stacked, [], body,
    )  # fmt: skip
    results = loop.bind([*(x for x, _ in body.captured), *carry, *xs])
    return results[: len(last)], results[len(last) :]


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


def recorded_while(
    backend: Any,
    condition: Callable[..., Any],
    step: Callable[..., list[Any]],
    carry: Sequence[Any],
    most: int | None,
) -> list[Any]:
    """Record condition and step once; see `Backend.while_loop`."""
    functions = (lambda *values: [condition(*values)]), step
    bodies = [Body.recorded(backend.xp, function, carry) for function in functions]
    loop, operands = While.over(backend, len(carry), most, bodies, carry)
    return loop.bind(operands)
