"""`scan` inside a recording: whether the loop can be recorded, and in which trace it is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from portanet.tape.box import Box
from portanet.tape.trace import ReverseTrace
from portanet.tracing.record.bodies import Missed, check_recorded
from portanet.tracing.record.loops import Scan, Step
from portanet.tracing.record.record import RecordTrace, recording


def recorded_scan(
    backend: Any, step: Step, carry: Sequence[Any], xs: Sequence[Any], length: int, reverse: bool
) -> tuple[list[Any], list[Any]] | None:
    """Record a loop, if this is a recording and the loop is in no other trace than one of reverse.

    See `Backend.scan`. None where the loop has to be unrolled.
    """
    outer = recording.get()
    if outer is None or length == 0 or outer.xp is not backend.xp:
        return None
    try:
        reverse_trace = _reverse_trace(outer, (*carry, *xs))
        scan = Scan(outer, reverse_trace, backend, step, carry, xs, length, reverse)
        return scan.outputs()
    except Missed:
        return None


def _reverse_trace(outer: RecordTrace, arrays: Sequence[Any]) -> ReverseTrace | None:
    """Return the one reverse trace of the arrays; raise `Missed` if they are in others."""
    found = None
    for x in arrays:
        if not isinstance(x, Box):
            continue
        if not isinstance(x.owner, RecordTrace):
            if not isinstance(x.owner, ReverseTrace) or found not in (None, x.owner):
                raise Missed(x.owner)
            found = x.owner
            x = x.value
        check_recorded(outer, x)
    return found
