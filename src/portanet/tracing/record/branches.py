"""`cond` inside a recording: both branches are recorded, and each replay runs one of them.

A branch is a loop of one step under a guard: where it is not taken it gives zeros, and so do its
cotangents.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from portanet.errors import NoDerivativeError
from portanet.tape.box import Box
from portanet.tape.ops.card import Card
from portanet.tape.primitive import Primitive
from portanet.tape.rule import Rule
from portanet.tracing.record.bodies import BodyTrace, Missed
from portanet.tracing.record.cycles import OF_BRANCH
from portanet.tracing.record.loops import Scan
from portanet.tracing.record.record import recording

Branch = Callable[..., list[Any]]


def recorded_cond(
    backend: Any,
    predicate: Any,
    true_function: Branch,
    false_function: Branch,
    operands: Sequence[Any],
) -> list[Any]:
    """Record both branches; see `Backend.cond`."""
    outer = recording.get()
    assert outer is not None
    xp = backend.xp
    if isinstance(outer, BodyTrace):
        predicate = outer.resolve(predicate)
    if predicate.owner is not outer:
        raise NoDerivativeError(OF_BRANCH)
    try:
        scans = [
            Scan(outer, None, backend, _step(branch, operands), [], [], 1, False, guard)
            for branch, guard in (
                (true_function, predicate), (false_function, xp.logical_not(predicate)),
            )
        ]  # fmt: skip
    except Missed:
        if isinstance(outer, BodyTrace):
            raise
        raise NoDerivativeError(OF_BRANCH) from None
    select = Primitive(_SELECT, _select, xp, xp.box).function()
    pairs = zip(*(scan.outputs()[1] for scan in scans), strict=True)
    return [select(predicate, x[0, ...], y[0, ...]) for x, y in pairs]


def is_recorded(x: Any) -> bool:
    """Whether a condition has another value in each call of a recording."""
    while isinstance(x, Box):
        if x.recorded:
            return True
        x = x.value
    return False


def _step(branch: Branch, operands: Sequence[Any]) -> Callable[..., tuple[list[Any], list[Any]]]:
    def step(carry: Any, row: Any) -> tuple[list[Any], list[Any]]:
        body: Any = recording.get()
        return [], branch(*map(body.resolve, operands))

    return step


def _select(predicate: Any, x: Any, y: Any) -> Any:
    return x if predicate else y


class _Select(Rule):
    """Both branches get the cotangent: the one that is not taken makes nothing of it."""

    arity = 3

    def vjp(self, primitive, cotangent, result, args, kwargs, argnums):
        return [cotangent for _ in argnums]


_SELECT = Card("select", _Select())
