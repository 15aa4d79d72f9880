"""Adding up and comparing rows that belong to one place, for NumPy.

``np.add.at`` takes one entry at a time unless the indices are flat: ten times as long as what is
here. Sums are taken in the order of the rows, whichever way.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from portanet.tape.ops import index_keys

# Entries whose flat indices stay in a second-level cache: the largest of 8192 rows of 32 take 735,
# 578, 541 and 517 µs with 2**12, 2**14, 2**16 and 2**18.
_BLOCK = 65536
# Entries that are added before SciPy's routine is called: that takes 4 µs in the place of 9 for 32
# rows of 32, and less for fewer rows too, but importing it takes as long as 40,000 such calls.
_FEW = 1024
_LONG = 4096  # rows of one place, beyond which float32 loses the small ones
_REAL = {"F": "f", "D": "d"}


def checked_index(index: Any, size: int, names: tuple[str, str], wraps: bool) -> Any:
    """Compute ``xp.checked_index``, in one pass where nothing is negative or out of range."""
    wide = np.array(index, np.int64)
    if wide.size == 0 or int(wide.view(np.uint64).max()) < size:  # negative ones become huge
        return wide
    return index_keys.checked_index(np, index, size, names, wraps)


def scatter_getitem(g: Any, key: Any, shape: tuple[int, ...]) -> np.ndarray:
    """Compute ``xp.scatter_getitem``."""
    if not any(map(_may_repeat, key if isinstance(key, tuple) else (key,))):
        fresh = np.zeros(shape, dtype=g.dtype)
        fresh[key] = g
        return fresh
    if isinstance(key, np.ndarray):
        return scatter_take(g, key, 0, shape)
    size = math.prod(shape)
    positions = _positions if size <= _FEW else _positions.__wrapped__  # large ones are not kept
    return _add_rows(g.reshape(-1), positions(shape)[key].reshape(-1), size).reshape(shape)


@functools.lru_cache(maxsize=128)
def _positions(shape: tuple[int, ...]) -> np.ndarray:
    """Return the place of each element among all, one behind the other."""
    positions = np.arange(math.prod(shape)).reshape(shape)
    positions.flags.writeable = False
    return positions


def _may_repeat(part: Any) -> bool:
    """Whether a part of an index may name an element twice."""
    if isinstance(part, np.ndarray):
        return part.ndim > 0 and part.dtype.kind != "b"
    return isinstance(part, list)


def scatter_take(g: Any, indices: Any, axis: int, shape: tuple[int, ...]) -> np.ndarray:
    """Compute ``xp.scatter_take``."""
    size, before, after = shape[axis], shape[:axis], shape[axis + 1 :]
    places = checked_index(indices, size, ("indices", f"x.shape[{axis}]"), True).reshape(-1)
    if axis == 0:
        return _add_rows(g.reshape(places.size, *after), places, size)
    g = g.reshape(math.prod(before), places.size, math.prod(after))
    y = _add_rows(np.moveaxis(g, 1, 0), places, size)
    return np.moveaxis(y, 0, 1).reshape(shape)


def _add_rows(x: np.ndarray, places: np.ndarray, count: int) -> np.ndarray:
    """Add each row of `x` to the row of zeros at its place, which is in range."""
    dtype = x.dtype
    if not x.size:
        return np.zeros((count, *x.shape[1:]), dtype)
    if dtype.char in _REAL:
        real = _REAL[dtype.char]
        pairs = np.ascontiguousarray(x).view(real).reshape(*x.shape, 2)
        return _add_rows(pairs, places, count).view(dtype).reshape(count, *x.shape[1:])
    if dtype.char == "e":
        return _add_rows(x.astype(np.float32), places, count).astype(dtype)
    if dtype.char in "fd" and x.size == len(x):
        sums = np.bincount(places, x.reshape(-1), count)  # it adds in float64
        return sums.astype(dtype, copy=False).reshape(count, *x.shape[1:])
    if dtype.char == "f" and len(x) > _LONG and np.bincount(places).max() > _LONG:
        return _add_rows(x.astype(np.float64), places, count).astype(dtype)
    y = np.zeros((count, *x.shape[1:]), dtype)
    product = _sparse_product() if dtype.char in "fd" and x.size > _FEW else None
    if product is not None:
        n = len(x)
        ends, ones = np.arange(n + 1), np.ones(n, dtype)
        product(count, n, x.size // n, ends, places, ones, x.reshape(-1), y.reshape(-1))
    elif dtype.char in "fd" and y[:1].size % 2 == 0:
        pair = "F" if dtype.char == "f" else "D"  # two entries are added by one index
        x = np.ascontiguousarray(x).reshape(len(x), -1).view(pair)
        _at(np.add.at, y.reshape(count, y[:1].size).view(pair), x, places)
    else:
        _at(np.add.at, y, x, places)
    return y


@functools.cache
def _sparse_product() -> Callable[..., None] | None:
    """Return SciPy's product of a sparse matrix by columns and a dense one, None without SciPy.

    The matrix that has a one for each row, at its place, needs no sorting.
    """
    try:
        from scipy.sparse import _sparsetools

        return _sparsetools.csc_matvecs
    except (ImportError, AttributeError):
        return None


def segment_max(x: np.ndarray, segments: np.ndarray, count: int) -> np.ndarray:
    """Compute `portanet.functional.indexing.rows.segment_max`."""
    lowest = -np.inf if x.dtype.kind == "f" else np.iinfo(x.dtype).min
    y = np.full((count, *x.shape[1:]), lowest, x.dtype)
    with np.errstate(invalid="ignore"):  # NumPy warns of NaN here, though not in maximum itself
        _at(np.maximum.at, y, x, segments)
    return y


def _at(function: Callable[..., None], y: np.ndarray, x: np.ndarray, places: np.ndarray) -> None:
    """Call ``function(y, places, x)`` with flat indices, some rows at a time."""
    if not x.size:
        return
    y, x = y.reshape(-1), x.reshape(len(x), -1)
    for rows, flat in _flat_indices(places, x.shape[1]):
        function(y, flat, x[rows].reshape(-1))


def _flat_indices(places: np.ndarray, width: int) -> Iterator[tuple[slice, np.ndarray]]:
    """Yield rows and the indices of their entries in a flat array of rows of `width` entries."""
    columns = np.arange(width)
    step = max(_BLOCK // max(width, 1), 1)
    for start in range(0, len(places), step):
        rows = slice(start, start + step)
        yield rows, (places[rows, None] * width + columns).reshape(-1)


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "checked_index": checked_index,
    "scatter_getitem": scatter_getitem,
    "scatter_take": scatter_take,
}
