"""Checks of the values of indices, where looking at them is free."""

from __future__ import annotations

from typing import Any

from portanet.backends import backend_of, device_of
from portanet.errors import ShapeError


def value_on_host(x: Any) -> int | None:
    """Return the value of an integer array of one entry, None where looking at it is not free.

    On an accelerator that would wait for the device, and a compiler has no values yet.
    """
    try:
        return int(x) if _on_host(x) else None
    except (TypeError, RuntimeError):
        return None


def _on_host(x: Any) -> bool:
    return "cpu" in str(device_of(x)).lower()


def check_range(name: str, x: Any, size: int, size_name: str) -> None:
    """Indices on the host are at least 0 and below `size`."""
    if 0 in x.shape or not _on_host(x):
        return
    xp = backend_of(x).xp
    lowest = value_on_host(xp.min(x))
    highest = None if lowest is None else value_on_host(xp.max(x))
    if lowest is None or highest is None:
        return
    if lowest < 0 or highest >= size:
        wrong = lowest if lowest < 0 else highest
        raise ShapeError(f"0 <= {name} < {size_name}: {name} has {wrong}, {size_name} is {size}")
