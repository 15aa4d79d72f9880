"""MLX's functions as the Array API standard has them: names, keywords and dtypes."""

from __future__ import annotations

import functools
import types
from collections.abc import Callable
from typing import Any

import mlx.core as mx
import numpy as np

from portanet_mlx import linalg
from portanet_mlx.host import on_numpy

STANDARD: Any = types.ModuleType("portanet_mlx.standard")
STANDARD.__dict__.update({k: v for k, v in vars(mx).items() if not k.startswith("_")})
STANDARD.bool = mx.bool_
STANDARD.__array_api_version__ = "2024.12"


def _standard(function: Callable[..., Any]) -> Callable[..., Any]:
    setattr(STANDARD, function.__name__.rstrip("_"), function)
    return function


def _index(x: Any) -> Any:
    """Return positions in the standard's default integer."""
    return x.astype(mx.int64)


# Creation: a device is always the default one.
def _without_device(name: str) -> Callable[..., Any]:
    own = getattr(mx, name)

    @functools.wraps(own)
    def function(*args: Any, device: Any = None, **options: Any) -> Any:
        if options.get("dtype", 0) is None:
            del options["dtype"]
        return own(*args, **options)

    return function


for _name in ("arange", "linspace", "zeros", "ones", "eye", "full", "empty"):
    setattr(STANDARD, _name, _without_device(_name))


@_standard
def asarray(x: Any, /, *, dtype: Any = None, device: Any = None, copy: Any = None) -> Any:
    if isinstance(x, mx.array):
        x = mx.array(x) if copy else x
        return x if dtype is None or dtype == x.dtype else x.astype(dtype)
    if isinstance(x, list | tuple) and any(isinstance(part, mx.array | list | tuple) for part in x):
        x = mx.stack([asarray(part) for part in x])
        return x if dtype is None else x.astype(dtype)
    return mx.array(x) if dtype is None else mx.array(x, dtype)


@_standard
def from_dlpack(x: Any, /, *, device: Any = None, copy: Any = None) -> Any:
    return mx.from_dlpack(x)


@_standard
def full_like(x: Any, /, fill_value: Any, *, dtype: Any = None, device: Any = None) -> Any:
    return mx.full(x.shape, fill_value, x.dtype if dtype is None else dtype)


@_standard
def zeros_like(x: Any, /, *, dtype: Any = None, device: Any = None) -> Any:
    return mx.zeros(x.shape, x.dtype if dtype is None else dtype)


@_standard
def ones_like(x: Any, /, *, dtype: Any = None, device: Any = None) -> Any:
    return mx.ones(x.shape, x.dtype if dtype is None else dtype)


STANDARD.empty_like = zeros_like


@_standard
def astype(x: Any, dtype: Any, /, *, copy: bool = True, device: Any = None) -> Any:
    return x.astype(dtype)


# Shapes
@_standard
def concat(arrays: Any, /, *, axis: int | None = 0) -> Any:
    arrays = list(arrays)
    if axis is None:
        arrays, axis = [mx.reshape(x, (-1,)) for x in arrays], 0
    return mx.concatenate(arrays, axis)


@_standard
def stack(arrays: Any, /, *, axis: int = 0) -> Any:
    return mx.stack(list(arrays), axis)


@_standard
def expand_dims(x: Any, /, *, axis: int = 0) -> Any:
    return mx.expand_dims(x, axis)


@_standard
def reshape(x: Any, /, shape: Any, *, copy: Any = None) -> Any:
    return mx.reshape(x, tuple(shape))


@_standard
def roll(x: Any, /, shift: Any, *, axis: Any = None) -> Any:
    return mx.roll(x, shift, axis)


@_standard
def moveaxis(x: Any, source: Any, destination: Any, /) -> Any:
    if isinstance(source, int):
        return mx.moveaxis(x, source, destination)
    rest = [i for i in range(x.ndim) if i not in [s % x.ndim for s in source]]
    for place, axis in sorted(zip((d % x.ndim for d in destination), source, strict=True)):
        rest.insert(place, axis % x.ndim)
    return mx.permute_dims(x, rest)


# Sums and their kin
@_standard
def sum_(x: Any, /, *, axis: Any = None, dtype: Any = None, keepdims: bool = False) -> Any:
    return mx.sum(x if dtype is None else x.astype(dtype), axis, keepdims)


@_standard
def prod(x: Any, /, *, axis: Any = None, dtype: Any = None, keepdims: bool = False) -> Any:
    return mx.prod(x if dtype is None else x.astype(dtype), axis, keepdims)


@_standard
def var(x: Any, /, *, axis: Any = None, correction: float = 0.0, keepdims: bool = False) -> Any:
    centred = x - mx.mean(x, axis, True)
    count = x.size // max(mx.sum(x, axis).size, 1)
    return mx.sum(centred * centred, axis, keepdims) / (count - correction)


@_standard
def std(x: Any, /, *, axis: Any = None, correction: float = 0.0, keepdims: bool = False) -> Any:
    return mx.sqrt(var(x, axis=axis, correction=correction, keepdims=keepdims))


@_standard
def cumulative_sum(
    x: Any, /, *, axis: int | None = None, dtype: Any = None, include_initial: bool = False
) -> Any:
    return _accumulated(mx.cumsum, 0, x, axis, dtype, include_initial)


@_standard
def cumulative_prod(
    x: Any, /, *, axis: int | None = None, dtype: Any = None, include_initial: bool = False
) -> Any:
    return _accumulated(mx.cumprod, 1, x, axis, dtype, include_initial)


def _accumulated(own: Any, first: int, x: Any, axis: Any, dtype: Any, initial: bool) -> Any:
    axis = 0 if axis is None else axis
    y = own(x if dtype is None else x.astype(dtype), axis=axis)
    if not initial:
        return y
    shape = list(y.shape)
    shape[axis] = 1
    return mx.concatenate([mx.full(shape, first, y.dtype), y], axis)


# Elementwise
@_standard
def clip(x: Any, /, min: Any = None, max: Any = None) -> Any:
    if min is None and max is None:
        return x
    return mx.clip(x, min, max).astype(x.dtype)


@_standard
def hypot(x: Any, y: Any, /) -> Any:
    large = mx.maximum(mx.abs(x), mx.abs(y))
    scale = mx.where(large > 0, large, mx.ones_like(large))
    return mx.where(mx.isinf(large), large, scale * mx.sqrt((x / scale) ** 2 + (y / scale) ** 2))


@_standard
def signbit(x: Any, /) -> Any:
    return (x < 0) | ((x == 0) & (1 / x < 0))


@_standard
def copysign(x: Any, y: Any, /) -> Any:
    return mx.where(signbit(y), -mx.abs(x), mx.abs(x))


@_standard
def nextafter(x: Any, y: Any, /) -> Any:
    return on_numpy(np.nextafter, x, y)


@_standard
def positive(x: Any, /) -> Any:
    return x


@_standard
def diff(x: Any, /, *, axis: int = -1, n: int = 1, prepend: Any = None, append: Any = None) -> Any:
    given = [part for part in (prepend, x, append) if part is not None]
    return mx.diff(mx.concatenate(given, axis) if len(given) > 1 else x, n, axis)


# Searching and sorting
@_standard
def argmax(x: Any, /, *, axis: int | None = None, keepdims: bool = False) -> Any:
    return _index(mx.argmax(x, axis, keepdims))


@_standard
def argmin(x: Any, /, *, axis: int | None = None, keepdims: bool = False) -> Any:
    return _index(mx.argmin(x, axis, keepdims))


@_standard
def argsort(x: Any, /, *, axis: int = -1, descending: bool = False, stable: bool = True) -> Any:
    if not descending:
        return _index(mx.argsort(x, axis))
    last = x.shape[axis] - 1
    return last - mx.flip(_index(mx.argsort(mx.flip(x, axis), axis)), axis)


@_standard
def sort(x: Any, /, *, axis: int = -1, descending: bool = False, stable: bool = True) -> Any:
    y = mx.sort(x, axis)
    return mx.flip(y, axis) if descending else y


@_standard
def count_nonzero(x: Any, /, *, axis: Any = None, keepdims: bool = False) -> Any:
    return mx.sum((x != 0).astype(mx.int64), axis, keepdims)


@_standard
def searchsorted(x1: Any, x2: Any, /, *, side: str = "left", sorter: Any = None) -> Any:
    x1 = x1 if sorter is None else mx.take(x1, sorter)
    return on_numpy(np.searchsorted, x1, x2, side=side)


@_standard
def nonzero(x: Any, /) -> tuple[Any, ...]:
    return tuple(mx.array(places) for places in np.nonzero(np.array(x)))


@_standard
def isin(x: Any, y: Any, /, *, invert: bool = False) -> Any:
    return on_numpy(np.isin, x, y, invert=invert)


def _host_set(name: str) -> Callable[..., Any]:
    own = getattr(np, name)

    @functools.wraps(own)
    def function(x: Any, /) -> Any:
        found = own(np.array(x))
        return type(found)(*map(mx.array, found)) if isinstance(found, tuple) else mx.array(found)

    return function


for _name in ("unique_all", "unique_counts", "unique_inverse", "unique_values"):
    setattr(STANDARD, _name, _host_set(_name))


@_standard
def take(x: Any, indices: Any, /, *, axis: int | None = None) -> Any:
    return mx.take(x, indices, axis)


@_standard
def take_along_axis(x: Any, indices: Any, /, *, axis: int = -1) -> Any:
    return mx.take_along_axis(x, indices, axis)


STANDARD.linalg = linalg
STANDARD.vecdot = linalg.vecdot
