"""Updates of the entries that an index names: what the methods of `at` compute."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from portanet.errors import ArgumentError, BackendMismatchError, DTypeError, ShapeError
from portanet.functional.indexing.keys import basic_key, is_mask, may_repeat, parts_of, places_of
from portanet.functional.indexing.rows import (
    is_kind,
    largest_rows,
    last_rows,
    multiply_rows,
    smallest_rows,
    sum_rows,
)
from portanet.functional.kernel import kernel
from portanet.interface import (
    array_namespace,
    backend_of,
    device_of,
    dtype_name,
    is_array,
    same_dtype,
)

_ENTRYWISE: dict[str, Callable[[Any, Any, Any], Any]] = {
    "set": lambda xp, x, y: y,
    "add": lambda xp, x, y: x + y,
    "subtract": lambda xp, x, y: x - y,
    "multiply": lambda xp, x, y: x * y,
    "divide": lambda xp, x, y: x / y,
    "power": lambda xp, x, y: x**y,
    "min": lambda xp, x, y: xp.minimum(x, y),
    "max": lambda xp, x, y: xp.maximum(x, y),
}
_GATHERED: dict[str, tuple[Callable[..., Any], Callable[[Any, Any], Any]]] = {
    "add": (sum_rows, operator.add),
    "subtract": (sum_rows, operator.sub),
    "multiply": (multiply_rows, operator.mul),
    "divide": (multiply_rows, operator.truediv),
}
_EXTREMES: dict[str, Callable[..., Any]] = {"min": smallest_rows, "max": largest_rows}
_KINDS = {
    bool: ("bool", "integral", "real floating", "complex floating"),
    int: ("integral", "real floating", "complex floating"),
    float: ("real floating", "complex floating"),
    complex: ("complex floating",),
}


def updated(x: Any, index: Any, method: str, y: Any) -> Any:
    """Return `x` with the entries at `index` changed by `y`."""
    if not is_array(x):
        raise BackendMismatchError(f"at: x is an array: got {type(x).__name__}")
    xp = array_namespace(x, y) if is_array(y) else array_namespace(x)
    y = _operand(xp, x, y, method)
    parts = parts_of(index, x.shape)
    if _is_one_mask(parts) and y.ndim <= x.ndim - parts[0].ndim:
        return _where(xp, x, y, parts[0], method)
    key = basic_key(parts, x.shape)
    if key is not None:
        y = _spread(xp, y, np.broadcast_to(False, x.shape)[key].shape)
        if method in ("add", "subtract"):
            return add_at(x, y if method == "add" else -y, index=key)
        old = x if method == "set" else x[key]
        return replace_at(x, _ENTRYWISE[method](xp, old, y), index=key)
    rows, rank = places_of(parts, x)
    width = x.shape[rank:]
    y = _spread(xp, y, (*rows.shape, *width))
    if 0 in y.shape:
        return x
    y = xp.reshape(y, (math.prod(rows.shape), *width))
    flat = xp.reshape(x, (math.prod(x.shape[:rank]), *width))
    change = _by_rows if may_repeat(parts) else _by_single_rows
    return xp.reshape(change(xp, flat, y, xp.reshape(rows, (-1,)), method), x.shape)


def _by_single_rows(xp: Any, x: Any, y: Any, rows: Any, method: str) -> Any:
    old = x if method == "set" else xp.take(x, rows, axis=0)
    return last_rows(xp, x, _ENTRYWISE[method](xp, old, y), rows)


def _by_rows(xp: Any, x: Any, y: Any, rows: Any, method: str) -> Any:
    """Update rows of which some may be named more than once."""
    if method in _GATHERED:
        gather, combine = _GATHERED[method]
        return combine(x, gather(y, rows, x.shape[0]))
    if method in _EXTREMES:
        own = xp.arange(x.shape[0], dtype=rows.dtype, device=device_of(x))
        return _EXTREMES[method](xp.concat([x, y]), xp.concat([own, rows]), x.shape[0])
    return _by_single_rows(xp, x, y, rows, method)


def _is_one_mask(parts: Sequence[Any]) -> bool:
    """Whether an index is a mask of the first axes and names all of the others."""
    if not parts or not is_mask(parts[0]):
        return False
    return all(isinstance(part, slice) and part == slice(None) for part in parts[1:])


def _where(xp: Any, x: Any, y: Any, mask: Any, method: str) -> Any:
    """Update the entries under a mask, all of them by `y`."""
    if tuple(mask.shape) != tuple(x.shape[: mask.ndim]):
        raise ShapeError(
            f"mask.shape == x.shape[:{mask.ndim}]: {tuple(mask.shape)} != "
            f"{tuple(x.shape[: mask.ndim])}"
        )
    y = _spread(xp, y, x.shape)
    mask = xp.reshape(mask, (*mask.shape, *(1,) * (x.ndim - mask.ndim)))
    # What the mask leaves out must not reach the derivative: a root of a negative number is NaN.
    one = xp.ones((), dtype=x.dtype, device=device_of(x))
    old = x if method in ("set", "add", "subtract") else xp.where(mask, x, one)
    return xp.where(mask, _ENTRYWISE[method](xp, old, y), x)


def _operand(xp: Any, x: Any, y: Any, method: str) -> Any:
    """Return an update as an array of the dtype of `x`, or say why it is none."""
    if method == "divide" and is_kind(xp, x.dtype, ("bool", "integral")):
        raise DTypeError(
            f"at(x)[index].divide: x.dtype is floating: {dtype_name(x)}: convert x first"
        )
    if isinstance(y, bool | int | float | complex):
        kind = next(kind for kind in _KINDS if isinstance(y, kind))
        fits = is_kind(xp, x.dtype, _KINDS[kind])
        if fits and kind is int and is_kind(xp, x.dtype, ("integral",)):
            limits = xp.iinfo(x.dtype)
            fits = limits.min <= y <= limits.max
        if not fits:
            raise DTypeError(f"y can be held by x.dtype: {y!r}, {dtype_name(x)}: convert x first")
        return xp.full((), y, dtype=x.dtype, device=device_of(x))
    if not is_array(y):
        raise ArgumentError(f"y is an array or a number: got {type(y).__name__}")
    if not same_dtype(y, x):
        raise DTypeError(
            f"y.dtype == x.dtype: {dtype_name(y)} != {dtype_name(x)}: convert y with "
            f'pn.astype(y, "{dtype_name(x)}")'
        )
    return y


def _spread(xp: Any, y: Any, shape: tuple[int, ...]) -> Any:
    if tuple(y.shape) == tuple(shape):
        return y
    ends = zip(reversed(y.shape), reversed(shape), strict=False)
    if y.ndim > len(shape) or any(n not in (1, m) for n, m in ends):
        raise ShapeError(f"y broadcasts to x[index]: {tuple(y.shape)}, {tuple(shape)}")
    return xp.broadcast_to(y, shape)


@kernel
def add_at(x: Any, y: Any, *, index: tuple[Any, ...]) -> Any:
    """Return `x` with `y` added to ``x[index]``, an index without arrays."""
    return x + array_namespace(x, y).scatter_getitem(y, index, x.shape)


@kernel
def replace_at(x: Any, y: Any, *, index: tuple[Any, ...]) -> Any:
    """Return `x` with `y` in the place of ``x[index]``, an index without arrays."""
    xp = array_namespace(x, y)
    named = np.zeros(x.shape, bool)
    named[index] = True
    hit = backend_of(x, y).from_numpy(named, device_of(x))
    return xp.where(hit, xp.scatter_getitem(y, index, x.shape), x)
