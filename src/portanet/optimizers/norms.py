"""Norms of gradients whose squares are too large, or too small, for their dtype."""

from __future__ import annotations

import math
from typing import Any

Array = Any


def norm(xp: Any, x: Array) -> Array:
    """Return the Euclidean norm of all entries of an array of 32 bits or more."""
    if math.prod(x.shape) == 0:
        return xp.sum(x)
    largest = xp.max(xp.abs(x))
    scale = xp.where(largest > 0, largest, xp.ones_like(largest))
    return scale * xp.sqrt(xp.sum(xp.square(x / scale)))
