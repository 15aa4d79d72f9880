"""Rules of reading by index, and of their transposes, which add into a zero array.

The standard has no scatter. The generic bodies write into a fresh array where the index names
every element once, and sum sorted elements where it may name one twice; an adapter with a scatter
of its own replaces them.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from typing import Any

from portanet.errors import IndexRangeError
from portanet.tape.box import device_of, strip
from portanet.tape.form import axes_of
from portanet.tape.rule import Linear, Rule
from portanet.tape.scattered import Scattered
from portanet.tape.segmented import reduced


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


def _add_rows(raw: Any, g: Any, places: Any, count: int) -> Any:
    return reduced(raw, operator.add, 0, g, places, count)


def _positions(raw: Any, g: Any, shape: tuple[int, ...]) -> Any:
    return raw.reshape(raw.arange(math.prod(shape), device=device_of(g)), shape)


def _scatter_getitem(raw: Any, g: Any, key: Any, shape: tuple[int, ...]) -> Any:
    if has_integer_array(key):
        places = raw.reshape(_positions(raw, g, shape)[key], (-1,))
        return raw.reshape(_add_rows(raw, raw.reshape(g, (-1,)), places, math.prod(shape)), shape)
    fresh = raw.zeros(shape, dtype=g.dtype, device=device_of(g))
    key, g = _without_new_axes(raw, g, key, fresh)
    fresh[key] = g
    return fresh


def _without_new_axes(raw: Any, g: Any, key: Any, fresh: Any) -> tuple[Any, Any]:
    """Drop the new axes of an index, with which the standard cannot write."""
    parts = key if isinstance(key, tuple) else (key,)
    kept = tuple(part for part in parts if part is not None)
    if len(kept) == len(parts):
        return key, g
    return kept, raw.reshape(g, fresh[kept].shape)


def _scatter_sum(raw: Any, *parts: Any, keys: tuple[Any, ...], shape: tuple[int, ...]) -> Any:
    fresh = raw.zeros(shape, dtype=parts[0].dtype, device=device_of(parts[0]))
    for g, key in zip(parts, keys, strict=True):
        key, g = _without_new_axes(raw, g, key, fresh)
        fresh[key] = fresh[key] + g
    return fresh


class _ScatterSum(Rule):
    """The sum of arrays of zeros in each of which one part was written, linear in all parts."""

    def vjp(self, primitive, cotangent, result, args, kwargs, argnums):
        return [cotangent[kwargs["keys"][i]] for i in argnums]

    def jvp(self, primitive, tangents, result, args, kwargs, argnums):
        keys = tuple(kwargs["keys"][i] for i in argnums)
        return primitive(*tangents, keys=keys, shape=kwargs["shape"])


def _getitem_transpose(xp: Any, g: Any, x: Any, key: Any) -> Any:
    if is_basic(key):
        return Scattered(xp, g, key, x.shape)
    return xp.scatter_getitem(g, key, x.shape)


def _scatter_take(raw: Any, g: Any, indices: Any, axis: int, shape: tuple[int, ...]) -> Any:
    rows = raw.arange(shape[axis], device=device_of(g))
    places = raw.take(rows, raw.reshape(indices, (-1,)), axis=0)
    before, after = shape[:axis], shape[axis + 1 :]
    g = raw.reshape(g, (math.prod(before), places.shape[0], math.prod(after)))
    y = _add_rows(raw, raw.moveaxis(g, 1, 0), places, shape[axis])
    return raw.reshape(raw.moveaxis(y, 0, 1), shape)


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


EXTENSIONS: dict[str, tuple[Rule, Callable[..., Any]]] = {
    "checked_index": (Rule(), checked_index),
    "getitem": (
        Linear(_getitem_transpose, arity=None),
        lambda raw, x, key: operator.getitem(x, key),
    ),
    "scatter_getitem": (
        Linear(lambda xp, g, x, key, shape: g[key], arity=None),
        _scatter_getitem,
    ),
    "scatter_sum": (_ScatterSum(), _scatter_sum),
    "scatter_take": (
        Linear(lambda xp, g, x, indices, axis, shape: xp.take(g, indices, axis=axis), arity=None),
        _scatter_take,
    ),
}


def _take_transpose(xp: Any, g: Any, x: Any, indices: Any, *, axis: int | None = None) -> Any:
    if axis is None and x.ndim > 1:
        return xp.reshape(xp.scatter_take(g, indices, 0, (math.prod(x.shape),)), x.shape)
    return xp.scatter_take(g, indices, axes_of(axis, x.ndim)[0], x.shape)


RULES: dict[str, Rule] = {
    "take": Linear(
        _take_transpose,
        arity=None,
    ),
}


def _take_along_axis(xp: Any, x: Any, indices: Any, /, *, axis: int | None = -1) -> Any:
    if axis is None:
        x, axis = xp.reshape(x, (-1,)), 0
    given, (axis,) = axis, axes_of(axis, x.ndim) or (0,)
    indices = strip(indices)
    pairs = enumerate(zip(x.shape, indices.shape, strict=True))
    shape = tuple(m if n == 1 and i != axis else n for i, (n, m) in pairs)
    positions = xp.broadcast_to(_positions(xp, x, x.shape), shape)
    wanted = tuple(n if i != axis else indices.shape[axis] for i, n in enumerate(shape))
    flat = xp.constants.take_along_axis(positions, xp.broadcast_to(indices, wanted), axis=given)
    gathered = xp.take(xp.reshape(x, (-1,)), xp.reshape(flat, (-1,)), axis=0)
    return xp.reshape(gathered, wanted)


COMPOSITES: dict[str, Callable[..., Any]] = {"take_along_axis": _take_along_axis}
