"""Reading and writing by an index: arrays of integers wrap around, and are never refused."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from cupy._state import counts

ADDED = frozenset("iILQefd")  # what a device adds in one step


def array_of(part: Any) -> Any:
    """Return an array that stands in an index as NumPy takes it, anything else as it is."""
    from cupy._array import host, ndarray

    if isinstance(part, ndarray):
        return host(part)
    if isinstance(part, (bool, np.bool_)):
        return np.asarray(part)
    if isinstance(part, list):
        whole = np.asarray([np.asarray(array_of(x)) for x in part])
        return whole.astype(np.int32) if whole.size == 0 else whole
    return part


def key_of(key: Any, shape: tuple[int, ...]) -> tuple[Any, bool]:
    """Return an index without numbers beyond the ends, and whether it holds arrays."""
    parts = [array_of(part) for part in (key if isinstance(key, tuple) else (key,))]
    arrays = [i for i, part in enumerate(parts) if isinstance(part, np.ndarray)]
    if not arrays:
        return tuple(parts), False
    sizes = [_axes(part) for part in parts]
    rest = len(shape) - sum(sizes)
    axis = 0
    for i, part in enumerate(parts):
        if part is Ellipsis:
            axis += rest
        elif isinstance(part, np.ndarray) and part.dtype.kind == "b":
            counts.waits += 1
        elif isinstance(part, np.ndarray) and part.dtype.kind in "iu" and axis < len(shape):
            size = shape[axis]
            parts[i] = part.astype(np.int64) % size if size else part
        axis += sizes[i]
    return tuple(parts), True


def _axes(part: Any) -> int:
    if part is None or part is Ellipsis:
        return 0
    return part.ndim if isinstance(part, np.ndarray) and part.dtype.kind == "b" else 1


def read(x: np.ndarray, key: Any) -> tuple[np.ndarray, bool]:
    """Return ``x[key]``, and whether it is a view: so it is if the index holds no array."""
    parts, arrays = key_of(key, x.shape)
    done = x[parts]
    if isinstance(done, np.generic):  # NumPy gives a scalar where CuPy gives a view
        done = np.asarray(done) if arrays else x[(*parts, Ellipsis)]
    return done, not arrays


def write(x: np.ndarray, key: Any, value: Any, dtype: np.dtype) -> None:
    """Do ``x[key] = value``; of several values for one place, the first stays, for any may."""
    from cupy._array import host

    value = value if isinstance(value, np.ndarray) else host(value)
    parts, arrays = key_of(key, x.shape)
    with np.errstate(all="ignore"):
        if not arrays or any(p.dtype.kind == "b" for p in parts if isinstance(p, np.ndarray)):
            x[parts] = np.asarray(value).astype(dtype, copy=False)
            return
        places = np.arange(x.size).reshape(x.shape)[parts]
        spread = np.broadcast_to(np.asarray(value).astype(dtype, copy=False), places.shape)
        where, first = np.unique(places, return_index=True)
        x[np.unravel_index(where, x.shape)] = spread.reshape(-1)[first]


def scatter(name: str, operation: str, x: np.ndarray, key: Any, value: Any) -> None:
    """Do ``ufunc.at`` by the atomic operations that a device has."""
    counts.launches += 1
    parts, _ = key_of(key, x.shape)
    allowed = {"add": ADDED, "sub": frozenset("iI")}.get(operation, ADDED - frozenset("e"))
    if x.dtype.char not in allowed:
        raise TypeError(f"cupy.{name}.at does not support {x.dtype} as data type")
    value = np.asarray(value).astype(x.dtype, copy=False)
    with np.errstate(all="ignore"):
        getattr(np, name).at(x, parts, value)


def take(x: np.ndarray, indices: Any, axis: int | None) -> Any:
    """Return ``x.take``, where numbers beyond the ends wrap around."""
    given = array_of(indices)
    if isinstance(given, np.ndarray) and given.dtype.kind not in "iu":
        raise TypeError(f"indices of {given.dtype}")
    others = x.shape[:axis] + x.shape[axis % x.ndim + 1 :] if axis is not None else ()
    if x.size == 0 and np.size(given) * math.prod(others):
        raise IndexError("cannot do a non-empty take from an empty axes.")
    return np.take(x, given, axis, mode="wrap" if x.size else "raise")
