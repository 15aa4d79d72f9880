"""Why a function is recorded anew or runs as it is, for who wonders where the time goes."""

from __future__ import annotations

import dis
import sys
import warnings
from typing import Any

from portanet.interface import every_backend


def difference(old: tuple[Any, ...], new: tuple[Any, ...]) -> str:
    """Say in what the arguments of two calls differ, by the keys of their programs.

    A key is the structure, then the type and value of each static leaf, and the type, shape,
    dtype and device of each array.
    """
    if old[0] != new[0]:
        return "the structure of its arguments differs from call to call"
    for before, now in zip(old[1:], new[1:], strict=True):
        if before != now:
            break
    else:
        return "its arguments differ from call to call"
    if not (isinstance(before, tuple) and isinstance(now, tuple) and len(before) == len(now)):
        return "an argument has another type from call to call"
    if len(now) == 2:
        return (
            f"an argument that is no array was {before[1]} and then {now[1]}: pass a number that "
            "changes as an array"
        )
    what = next(name for name, a, b in zip(_PARTS, before, now, strict=True) if a != b)
    place = _PARTS.index(what)
    return (
        f"the {what} of an array was {before[place]} and then {now[place]}: give it few of them, "
        "for example by padding the last batch or leaving it out"
    )


_PARTS = ("type", "shape", "dtype", "device")


def warn_of_retracing(what: str, reason: str) -> None:
    """Warn that something is recorded in nearly every call."""
    warn_user(f"{what} is recorded anew in nearly every call: {reason}")


def reason_of(failed: Exception) -> str:
    """Return why a recording failed: a fault of ours, or what another library did not want."""
    said = f"{type(failed).__name__}: {failed}"
    library = _refusing(failed)
    if library is not None:
        return f"{library} does not take the arrays of a recording: {said}"
    return f"recording or replaying it failed in portanet, with {said}. Please report this fault"


def _refusing(failed: Exception) -> str | None:
    """Return the package whose code has a ``raise`` that an error comes from; None for ours.

    What an array library says is about what we have called it with.
    """
    trace = failed.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    if trace is None:
        return None
    frame = trace.tb_frame
    package = frame.f_globals.get("__name__", "").partition(".")[0]
    ours = {"portanet", "array_api_compat"}.union(*(b.modules for b in every_backend().values()))
    raised = dis.opname[frame.f_code.co_code[trace.tb_lasti]] == "RAISE_VARARGS"
    return package if raised and package not in ours else None


def warn_user(text: str) -> None:
    """Warn at the line of the user's that led here."""
    frame, depth = sys._getframe(1), 2
    while frame.f_back is not None and frame.f_globals.get("__name__", "").startswith("portanet."):
        frame, depth = frame.f_back, depth + 1
    warnings.warn(text, stacklevel=depth)
