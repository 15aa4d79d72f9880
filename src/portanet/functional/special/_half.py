"""Numbers of 16 bits, too coarse for a series."""

from __future__ import annotations

from typing import Any


def widened(xp: Any, x: Any) -> Any:
    """Return `x` in float32 if it has 16 bits, and as it is otherwise."""
    return xp.astype(x, xp.float32) if xp.finfo(x.dtype).bits < 32 else x
