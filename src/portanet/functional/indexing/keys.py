"""Which entries of an array an index names: NumPy's meaning of it, for every library."""

from __future__ import annotations

import math
import operator
from collections.abc import Sequence
from typing import Any

import numpy as np

from portanet import tape
from portanet.errors import ArgumentError, DTypeError, ShapeError, TracedValueError
from portanet.functional.indices import checked_index
from portanet.interface import array_namespace, backend_of, device_of, is_array

_WHOLE = slice(None)
_HOST = np.ndarray | np.integer


def parts_of(index: Any, shape: tuple[int, ...]) -> list[Any]:
    """Return an index part by part, with a slice for each axis that it leaves out.

    Parts are integers, slices, None, and arrays of integers or truth values.
    """
    parts = [_part(part) for part in (index if isinstance(index, tuple) else (index,))]
    rank = sum(map(_axes_of, parts))
    gaps = [i for i, part in enumerate(parts) if part is Ellipsis]
    if rank > len(shape) or len(gaps) > 1:
        raise ShapeError(
            f"index.ndim <= x.ndim, with one ellipsis at most: {rank} axes and {len(gaps)} "
            f"ellipses for x.shape {tuple(shape)}"
        )
    start, stop = (gaps[0], gaps[0] + 1) if gaps else (len(parts), len(parts))
    parts[start:stop] = [_WHOLE] * (len(shape) - rank)
    return parts


def _part(part: Any) -> Any:
    if part is None or part is Ellipsis or isinstance(part, slice):
        return part
    if isinstance(part, bool | list | tuple):
        part = np.asarray(part, None if isinstance(part, bool) or len(part) else np.int64)
    if is_array(part) and not isinstance(part, np.integer):
        part = tape.strip(part)
        if not array_namespace(part).isdtype(part.dtype, ("integral", "bool")):
            raise DTypeError(f"an index holds integers or truth values: got {part.dtype}")
        return part
    try:
        return operator.index(part)
    except TypeError:
        raise ArgumentError(
            "an index is made of integers, slices, None, an ellipsis, and arrays or lists of "
            f"integers or truth values: got {type(part).__name__}"
        ) from None


def _axes_of(part: Any) -> int:
    if part is None or part is Ellipsis:
        return 0
    return part.ndim if is_mask(part) else 1


def is_mask(part: Any) -> bool:
    """Whether a part of an index is an array of truth values."""
    return is_array(part) and bool(array_namespace(part).isdtype(part.dtype, "bool"))


def may_repeat(parts: Sequence[Any]) -> bool:
    """Whether an index may name an entry twice."""
    return any(is_array(part) and part.ndim > 0 and not is_mask(part) for part in parts)


def basic_key(parts: Sequence[Any], shape: tuple[int, ...]) -> tuple[Any, ...] | None:
    """Return an index as every library takes it, without arrays; None if that cannot be."""
    key, axis = [], 0
    for part in parts:
        if is_array(part) or (isinstance(part, slice) and (part.step or 1) < 0):
            return None
        if isinstance(part, slice):
            start, stop, step = part.indices(shape[axis])
            part = slice(start, max(start, stop), step)
        elif part is not None:
            part = int(_checked(np.asarray(part), axis, shape))
        axis += part is not None
        key.append(part)
    return tuple(key)


def _checked(index: Any, axis: int, shape: tuple[int, ...]) -> Any:
    return checked_index(index, shape[axis], ("index", f"x.shape[{axis}]"), True)


def places_of(parts: Sequence[Any], x: Any) -> tuple[Any, int]:
    """Return the numbers of the rows that an index names, in its shape, and the rank of the rows.

    The first axes of `x`, as many as the second result says, are flattened into one of rows.
    """
    parts = list(parts)
    while parts and isinstance(parts[-1], slice) and parts[-1] == _WHOLE:
        parts.pop()
    rank = sum(map(_axes_of, parts))
    axis, ranges, arrays, marks = 0, [], [], []
    for number, part in enumerate(parts):
        if part is None:
            ranges.append(np.zeros(1, np.int64))
        elif isinstance(part, slice):
            numbers = np.arange(*part.indices(x.shape[axis]), dtype=np.int64)
            ranges.append(numbers * math.prod(x.shape[axis + 1 : rank]))
        else:
            marks.append((number, len(ranges)))
            for offset, array in enumerate(_arrays(part, axis, x)):
                scale = math.prod(x.shape[axis + offset + 1 : rank])
                arrays.append(array if scale == 1 else array * scale)
        axis += _axes_of(part)
    together = not marks or marks[-1][0] - marks[0][0] == len(marks) - 1
    return _combined(ranges, arrays, marks[0][1] if marks and together else 0, x), rank


def _arrays(part: Any, axis: int, x: Any) -> list[Any]:
    """Return the integer arrays that a part of an index stands for, one an axis."""
    if not is_mask(part):
        return [_checked(part if is_array(part) else np.asarray(part), axis, x.shape)]
    if tuple(part.shape) != tuple(x.shape[axis : axis + part.ndim]):
        raise ShapeError(
            f"mask.shape == x.shape[{axis}:{axis + part.ndim}]: {tuple(part.shape)} != "
            f"{tuple(x.shape[axis : axis + part.ndim])}"
        )
    if isinstance(part, np.ndarray):
        return list(np.nonzero(np.atleast_1d(part)))
    backend = backend_of(part)
    try:
        with backend.untraced():
            return list(backend.xp.nonzero(part if part.ndim else backend.xp.reshape(part, (1,))))
    except (RuntimeError, TypeError) as error:
        raise TracedValueError(
            "a mask inside pn.jit or pn.vmap chooses another number of entries in each call: give "
            "the same update for all of them, at(x)[mask].set(0.0), or use xp.where(mask, y, x)"
        ) from error


def _combined(ranges: Sequence[Any], arrays: Sequence[Any], front: int, x: Any) -> Any:
    """Add up ranges and arrays, whose own axes come after the first `front` ranges."""
    try:
        shape = np.broadcast_shapes(*(tuple(a.shape) for a in arrays))
    except ValueError:
        shapes = ", ".join(str(tuple(a.shape)) for a in arrays)
        raise ShapeError(f"the arrays of an index have one shape: {shapes}") from None
    behind = len(ranges) - front
    sizes = [r.size for r in ranges]
    whole = (*sizes[:front], *shape, *sizes[front:])
    total = np.zeros((1,) * len(whole), np.int64)
    for i, numbers in enumerate(ranges):
        after = len(ranges) - 1 - i + (len(shape) if i < front else 0)
        total = total + numbers.reshape(-1, *(1,) * after)
    backend = backend_of(x, *(a for a in arrays if not isinstance(a, _HOST)))
    traced = []
    for a in arrays:
        spread = (*a.shape, *(1,) * behind)
        if isinstance(a, _HOST):
            total = total + a.reshape(spread)
        else:
            traced.append(backend.xp.reshape(a, spread))
    if not traced or ranges or len(traced) < len(arrays):
        traced.append(backend.from_numpy(np.asarray(total), device_of(x)))
    rows = traced[0]
    for other in traced[1:]:
        rows = rows + other
    return backend.xp.broadcast_to(rows, whole)
