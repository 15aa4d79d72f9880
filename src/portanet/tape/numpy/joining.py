"""Arrays put together and taken apart."""

from __future__ import annotations

import itertools
import operator
from collections.abc import Callable
from typing import Any

import numpy as np

from portanet.errors import ArgumentError, ShapeError
from portanet.tape.numpy.operands import array, axes, concrete, flat, one_axis, raised, window


def _typed(xp: Any, y: Any, dtype: Any) -> Any:
    return y if dtype is None else xp.astype(y, np.dtype(dtype))


def concatenate(
    xp: Any, arrays: Any, /, axis: Any = 0, out: Any = None, *, dtype: Any = None,
    casting: str = "same_kind",
) -> Any:  # fmt: skip
    parts = [array(xp, part) for part in arrays]
    return _typed(xp, xp.concat(parts, axis=axes(axis)), dtype)


def stack(
    xp: Any, arrays: Any, axis: Any = 0, out: Any = None, *, dtype: Any = None,
    casting: str = "same_kind",
) -> Any:  # fmt: skip
    parts = [array(xp, part) for part in arrays]
    return _typed(xp, xp.stack(parts, axis=axes(axis)), dtype)


def hstack(xp: Any, tup: Any, *, dtype: Any = None, casting: str = "same_kind") -> Any:
    parts = [raised(xp, part) for part in tup]
    return _typed(xp, xp.concat(parts, axis=0 if parts[0].ndim == 1 else 1), dtype)


def vstack(xp: Any, tup: Any, *, dtype: Any = None, casting: str = "same_kind") -> Any:
    return _typed(xp, xp.concat([at_least_2d(xp, part) for part in tup], axis=0), dtype)


def dstack(xp: Any, tup: Any) -> Any:
    return xp.concat([at_least_3d(xp, part) for part in tup], axis=2)


def column_stack(xp: Any, tup: Any) -> Any:
    columns = [raised(xp, part) for part in tup]
    return xp.concat([x[:, None] if x.ndim == 1 else x for x in columns], axis=1)


def at_least_2d(xp: Any, x: Any) -> Any:
    x = array(xp, x)
    return x if x.ndim > 1 else xp.reshape(x, (1, x.size))


def at_least_3d(xp: Any, x: Any) -> Any:
    x = at_least_2d(xp, x)
    return x if x.ndim > 2 else x[..., None]


def _atleast(raise_one: Callable[..., Any]) -> Callable[..., Any]:
    def body(xp: Any, *arys: Any) -> Any:
        return raise_one(xp, arys[0]) if len(arys) == 1 else tuple(raise_one(xp, x) for x in arys)

    return body


def block(xp: Any, arrays: Any) -> Any:
    depth = _depth(arrays)
    rank = max(depth, max(np.ndim(x) for x in _leaves(arrays)))
    return _joined(xp, arrays, depth, rank)


def _depth(parts: Any) -> int:
    return 1 + max(map(_depth, parts)) if isinstance(parts, list) else 0


def _leaves(parts: Any) -> Any:
    if not isinstance(parts, list):
        return [parts]
    return [leaf for part in parts for leaf in _leaves(part)]


def _joined(xp: Any, parts: Any, depth: int, rank: int) -> Any:
    """Join nested lists, the innermost along the last axis."""
    if not isinstance(parts, list):
        x = array(xp, parts)
        return xp.reshape(x, (*(1,) * (rank - x.ndim), *x.shape))
    return xp.concat([_joined(xp, part, depth - 1, rank) for part in parts], axis=-depth)


def append(xp: Any, arr: Any, values: Any, axis: Any = None) -> Any:
    if axis is None:
        return xp.concat([flat(xp, arr), flat(xp, values)])
    return xp.concat([array(xp, arr), array(xp, values)], axis=axes(axis))


def delete(xp: Any, arr: Any, obj: Any, axis: Any = None) -> Any:
    arr, axis = (flat(xp, arr), 0) if axis is None else (arr, one_axis("delete", axis, arr.ndim))
    kept = np.delete(np.arange(arr.shape[axis]), concrete("numpy.delete: obj", obj))
    return xp.take(arr, kept, axis=axis)


def insert(xp: Any, arr: Any, obj: Any, values: Any, axis: Any = None) -> Any:
    arr = array(xp, arr)
    arr, axis = (flat(xp, arr), 0) if axis is None else (arr, one_axis("insert", axis, arr.ndim))
    values, n = array(xp, values), arr.shape[axis]
    obj = concrete("numpy.insert: obj", obj)
    if np.size(obj) == 1 and not isinstance(obj, slice):
        # One place takes several rows; for a plain number they lie along the first axis.
        if values.ndim < arr.ndim:
            values = xp.reshape(values, (*(1,) * (arr.ndim - values.ndim), *values.shape))
        values = xp.moveaxis(values, 0, axis) if np.ndim(obj) == 0 else values
        obj = np.repeat(np.ravel(obj), values.shape[axis])
    order = np.insert(np.arange(n), obj, -1)
    new = order < 0
    shape = (*arr.shape[:axis], int(np.sum(new)), *arr.shape[axis + 1 :])
    values = xp.broadcast_to(xp.astype(values, arr.dtype), shape)
    places = np.where(new, n + np.cumsum(new) - 1, order)
    return xp.take(xp.concat([arr, values], axis=axis), places, axis=axis)


def array_split(xp: Any, ary: Any, indices_or_sections: Any, axis: Any = 0) -> list[Any]:
    n = ary.shape[axis]
    if np.ndim(indices_or_sections):
        points = [0, *map(operator.index, indices_or_sections), n]
    else:
        sections = operator.index(indices_or_sections)
        if sections <= 0:
            raise ArgumentError(f"numpy.array_split: at least one section: got {sections}")
        rows, more = divmod(n, sections)
        points = np.cumsum([0] + more * [rows + 1] + (sections - more) * [rows]).tolist()
    place = one_axis("split", axis, ary.ndim)
    ends = itertools.pairwise(points)
    return [ary[window(place, start, stop)] for start, stop in ends]


def split(xp: Any, ary: Any, indices_or_sections: Any, axis: Any = 0) -> list[Any]:
    n = ary.shape[axis]
    if not np.ndim(indices_or_sections) and n % indices_or_sections:
        raise ShapeError(
            f"numpy.split: array split does not result in an equal division: "
            f"{n} % {indices_or_sections} != 0"
        )
    return array_split(xp, ary, indices_or_sections, axis)


def _split_along(name: str, rank: int) -> Callable[..., Any]:
    def body(xp: Any, ary: Any, indices_or_sections: Any) -> list[Any]:
        if ary.ndim < rank:
            raise ShapeError(f"numpy.{name}: ary.ndim >= {rank}: {ary.ndim} < {rank}")
        axis = {"hsplit": min(1, ary.ndim - 1), "vsplit": 0, "dsplit": 2}[name]
        return split(xp, ary, indices_or_sections, axis)

    return body


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "append": append,
    "array_split": array_split,
    "atleast_1d": _atleast(raised),
    "atleast_2d": _atleast(at_least_2d),
    "atleast_3d": _atleast(at_least_3d),
    "block": block,
    "column_stack": column_stack,
    "concatenate": concatenate,
    "delete": delete,
    "dsplit": _split_along("dsplit", 3),
    "dstack": dstack,
    "hsplit": _split_along("hsplit", 1),
    "hstack": hstack,
    "insert": insert,
    "split": split,
    "stack": stack,
    "vsplit": _split_along("vsplit", 2),
    "vstack": vstack,
}
