"""Indices: what they hold, and whether they stay within their array."""

from __future__ import annotations

import math
from typing import Any

from portanet.errors import IndexRangeError


def is_basic(key: Any) -> bool:
    """Whether an index holds only integers, slices, an ellipsis and new axes."""
    return all(
        part is None
        or part is Ellipsis
        or (isinstance(part, int | slice) and type(part) is not bool)
        for part in (key if isinstance(key, tuple) else (key,))
    )


def has_integer_array(key: Any) -> bool:
    """Whether an index may name an element twice."""
    parts = key if isinstance(key, tuple) else (key,)
    return any(
        isinstance(part, list)
        or (hasattr(part, "dtype") and part.ndim > 0 and "bool" not in str(part.dtype))
        for part in parts
    )


def refuse_range(low: int, high: int, size: int, names: tuple[str, str], wraps: bool) -> None:
    """Raise `IndexRangeError` unless an index, from `low` to `high`, stays within `size`."""
    name, size_name = names
    lowest, least = (-size, f"-{size_name}") if wraps else (0, "0")
    if low < lowest or high >= size:
        raise IndexRangeError(
            f"{least} <= {name} < {size_name}: {name} has {low if low < lowest else high}, "
            f"{size_name} is {size}"
        )


def checked_index(raw: Any, index: Any, size: int, names: tuple[str, str], wraps: bool) -> Any:
    """Return an index as a new array of int64 from 0 to ``size - 1``.

    Parameters
    ----------
    raw : namespace
    index : array of int, any shape
    size : int
        The number of entries that can be named.
    names : tuple of str
        What a message calls the index and the size.
    wraps : bool
        Whether negative numbers count from the end.
    """
    if math.prod(index.shape):
        refuse_range(int(raw.min(index)), int(raw.max(index)), size, names, wraps)
    index = raw.astype(index, raw.int64, copy=True)
    return raw.where(index < 0, index + size, index) if wraps else index
