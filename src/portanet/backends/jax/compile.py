"""JAX's own compiler behind `portanet.jit`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import jax
from jax.core import Tracer

from portanet.errors import TracedValueError
from portanet.tape.trace import Captured
from portanet.tracing.record.record import Recorded

_SIZE = (
    "an index by a condition inside pn.jit: the shape of its result depends on values, which "
    "differ from call to call: keep the shape and choose entry by entry with xp.where, or leave "
    "this function out of jit"
)
_REASONS = {
    jax.errors.TracerBoolConversionError: Recorded.no_condition,
    jax.errors.ConcretizationTypeError: Recorded.no_value,
    jax.errors.TracerArrayConversionError: Recorded.no_value,
    jax.errors.TracerIntegerConversionError: Recorded.no_value,
    jax.errors.NonConcreteBooleanIndexError: _SIZE,
}


def rehearse(function: Callable[..., Sequence[Any]], arrays: Sequence[Any]) -> None:
    """Call `function` on stand-ins without values; see `Backend.rehearse`.

    On the arrays themselves JAX would compile each of its operations apart.
    """
    try:
        program = jax.make_jaxpr(function)(*arrays)
    except tuple(_REASONS) as error:
        text = next(text for kind, text in _REASONS.items() if isinstance(error, kind))
        raise TracedValueError(text) from error
    if any(isinstance(x, Tracer) for x in program.consts):
        raise Captured


def compiled(
    function: Callable[..., Sequence[Any]], donated: Sequence[int]
) -> Callable[..., Sequence[Any]]:
    """Return a function of lists of arrays and numbers, compiled; see `Backend.compile`."""
    run = jax.jit(function, donate_argnums=tuple(donated))
    if not donated:
        return run

    def called(*lists: Sequence[Any]) -> Sequence[Any]:
        used = {id(x) for i, part in enumerate(lists) if i not in donated for x in part}
        parts = [_apart(x, used) if i in donated else x for i, x in enumerate(lists)]
        return run(*parts)

    return called


def _apart(arrays: Sequence[Any], used: set[int]) -> list[Any]:
    """Copy the arrays that are used already: JAX donates none of them, and none twice."""
    found = []
    for x in arrays:
        found.append(x.copy() if id(x) in used else x)
        used.add(id(x))
    return found
