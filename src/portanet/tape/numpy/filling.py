"""Arrays made to measure: padded, counted, evenly spaced, filled like another one."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import numpy as np

from portanet.errors import ShapeError
from portanet.tape.numpy.operands import array, concrete, flat, refuse
from portanet.tape.rule import is_complex

_BY_INDEX = {"edge", "reflect", "symmetric", "wrap"}
_OPTIONS = {
    "constant": {"constant_values"}, "reflect": {"reflect_type"}, "symmetric": {"reflect_type"},
}  # fmt: skip


def pad(xp: Any, array: Any, pad_width: Any, mode: Any = "constant", **kwargs: Any) -> Any:
    widths = _widths(pad_width, array.ndim)
    if kwargs and (left := kwargs.keys() - _OPTIONS.get(mode, set())):
        refuse(f"numpy.pad with mode={mode!r} and {sorted(left)}", "leave them out")
    if mode in ("constant", "empty"):
        values = np.broadcast_to(kwargs.get("constant_values", 0), (array.ndim, 2))
        for axis, ends in enumerate(zip(widths, values, strict=True)):
            array = _bordered(xp, array, axis, *ends)
        return array
    if mode not in _BY_INDEX or kwargs.get("reflect_type", "even") != "even":
        refuse(f"numpy.pad with mode={mode!r}", "use constant, edge, reflect, symmetric or wrap")
    for axis, ends in enumerate(widths):
        if ends != (0, 0):
            places = np.pad(np.arange(array.shape[axis]), ends, mode=mode)
            array = xp.take(array, places, axis=axis)
    return array


def _widths(pad_width: Any, rank: int) -> list[tuple[int, int]]:
    """Return how much to add before and after each axis."""
    if isinstance(pad_width, dict):
        rows = [(0, 0)] * rank
        for axis, ends in pad_width.items():
            rows[axis] = ends
        pad_width = [np.broadcast_to(ends, (2,)) for ends in rows]
    return [(int(a), int(b)) for a, b in np.broadcast_to(pad_width, (rank, 2))]


def _bordered(xp: Any, x: Any, axis: int, widths: tuple[int, int], values: Any) -> Any:
    shapes = [(*x.shape[:axis], n, *x.shape[axis + 1 :]) for n in widths]
    before, after = (
        xp.full(shape, np.asarray(value).astype(x.dtype)[()], dtype=x.dtype)
        for shape, value in zip(shapes, values, strict=True)
    )
    parts = [part for part, n in ((before, widths[0]), (x, 1), (after, widths[1])) if n]
    return parts[0] if len(parts) == 1 else xp.concat(parts, axis=axis)


def bincount(xp: Any, x: Any, /, weights: Any = None, minlength: int = 0) -> Any:
    places = concrete("numpy.bincount: x", array(xp, x))
    if weights is None:
        return np.bincount(places, minlength=minlength)
    weights = xp.astype(flat(xp, weights), np.dtype(np.float64))
    if weights.shape != places.shape:
        raise ShapeError(
            f"numpy.bincount: x.shape == weights.shape: {places.shape} != {weights.shape}"
        )
    size = max(int(np.max(places, initial=-1)) + 1, minlength)
    return xp.scatter_getitem(weights, (places,), (size,))


def linspace(
    xp: Any, start: Any, stop: Any, num: int = 50, endpoint: bool = True, retstep: bool = False,
    dtype: Any = None, axis: int = 0, *, device: Any = None,
) -> Any:  # fmt: skip
    ends = [x if isinstance(x, int | float | complex) else array(xp, x) for x in (start, stop)]
    common = np.result_type(*(getattr(x, "dtype", x) for x in ends), float(num))
    start, stop = (xp.astype(array(xp, x), common) for x in ends)
    num = operator.index(num)
    gaps = num - 1 if endpoint else num
    width = stop - start
    step = width / gaps if gaps > 0 else xp.full_like(width, np.nan)
    ticks = np.arange(num, dtype=xp.real(start).dtype if is_complex(xp, common) else common)
    ticks = np.reshape(ticks, (-1, *(1,) * width.ndim))
    y = ticks * (step if gaps > 0 else width) + start
    if endpoint and num > 1:
        y = xp.concat([y[:-1, ...], xp.broadcast_to(stop, width.shape)[None, ...]], axis=0)
    y = xp.moveaxis(y, 0, axis) if axis else y
    if dtype is not None:
        y = xp.astype(y, np.dtype(dtype))
    return (y, step) if retstep else y


def logspace(
    xp: Any, start: Any, stop: Any, num: int = 50, endpoint: bool = True, base: Any = 10.0,
    dtype: Any = None, axis: int = 0,
) -> Any:  # fmt: skip
    exponents = linspace(xp, start, stop, num, endpoint, axis=axis)
    if np.ndim(base):
        base = xp.expand_dims(array(xp, base), axis=axis)
    y = xp.operators.pow(base, exponents)
    return y if dtype is None else xp.astype(y, np.dtype(dtype))


def _like(name: str) -> Callable[..., Any]:
    def body(
        xp: Any, a: Any, dtype: Any = None, order: str = "K", subok: bool = True, shape: Any = None,
        *, device: Any = None,
    ) -> Any:  # fmt: skip
        return _fresh(xp, name, a, dtype, shape)

    return body


def _fresh(xp: Any, name: str, a: Any, dtype: Any, shape: Any) -> Any:
    dtype = a.dtype if dtype is None else np.dtype(dtype)
    if shape is None:
        return getattr(xp, f"{name}_like")(a, dtype=dtype)
    return getattr(xp, name)(shape, dtype=dtype)


def empty_like(
    xp: Any, prototype: Any, /, dtype: Any = None, order: str = "K", subok: bool = True,
    shape: Any = None, *, device: Any = None,
) -> Any:  # fmt: skip
    return _fresh(xp, "empty", prototype, dtype, shape)


def full_like(
    xp: Any, a: Any, fill_value: Any, dtype: Any = None, order: str = "K", subok: bool = True,
    shape: Any = None, *, device: Any = None,
) -> Any:  # fmt: skip
    a, value = array(xp, a), array(xp, fill_value)
    shape = a.shape if shape is None else shape
    value = xp.astype(value, a.dtype if dtype is None else np.dtype(dtype))
    return xp.broadcast_to(value, tuple(shape) if isinstance(shape, tuple | list) else (shape,))


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "bincount": bincount,
    "empty_like": empty_like,
    "full_like": full_like,
    "linspace": linspace,
    "logspace": logspace,
    "ones_like": _like("ones"),
    "pad": pad,
    "zeros_like": _like("zeros"),
}
