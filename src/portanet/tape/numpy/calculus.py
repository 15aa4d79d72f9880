"""Differences, integrals and interpolation."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import numpy as np

from portanet.errors import ArgumentError, ShapeError
from portanet.tape.numpy.operands import (
    NOT_GIVEN,
    array,
    axes,
    flat,
    floating,
    one_axis,
    window,
)  # fmt: skip


def diff(
    xp: Any, a: Any, n: int = 1, axis: int = -1, prepend: Any = NOT_GIVEN, append: Any = NOT_GIVEN
) -> Any:
    a = array(xp, a)
    place = one_axis("diff", axis, a.ndim)
    shape = tuple(1 if i == place else m for i, m in enumerate(a.shape))
    ends = [None if end is NOT_GIVEN else array(xp, end) for end in (prepend, append)]
    ends = [x if x is None or x.ndim else xp.broadcast_to(x, shape) for x in ends]
    return xp.diff(a, axis=place, n=operator.index(n), prepend=ends[0], append=ends[1])


def ediff1d(xp: Any, ary: Any, to_end: Any = None, to_begin: Any = None) -> Any:
    ary = flat(xp, ary)
    parts = [xp.diff(ary)]
    if to_begin is not None:
        parts.insert(0, xp.astype(flat(xp, to_begin), ary.dtype))
    if to_end is not None:
        parts.append(xp.astype(flat(xp, to_end), ary.dtype))
    return parts[0] if len(parts) == 1 else xp.concat(parts)


def trapezoid(xp: Any, y: Any, x: Any = None, dx: Any = 1.0, axis: int = -1) -> Any:
    y = array(xp, y)
    place = one_axis("trapezoid", axis, y.ndim)
    if x is not None:
        x = array(xp, x)
        dx = xp.diff(x, axis=0 if x.ndim == 1 else place)
        if x.ndim == 1:
            dx = xp.reshape(dx, tuple(-1 if i == place else 1 for i in range(y.ndim)))
    pairs = y[window(place, 1)] + y[window(place, None, -1)]
    return xp.sum(dx * pairs / 2.0, axis=place)


def gradient(xp: Any, f: Any, *varargs: Any, axis: Any = None, edge_order: int = 1) -> Any:
    f = floating(xp, array(xp, f))
    places = range(f.ndim) if axis is None else axes(axis)
    places = (places,) if isinstance(places, int) else places
    places = [one_axis("gradient", i, f.ndim) for i in places]
    steps = list(varargs) or [1.0]
    steps = steps * len(places) if len(steps) == 1 else steps
    if len(steps) != len(places):
        raise ArgumentError(
            f"numpy.gradient: one spacing, or one an axis: {len(steps)} for {len(places)} axes"
        )
    if edge_order not in (1, 2):
        raise ArgumentError(f"numpy.gradient: edge_order is 1 or 2: got {edge_order}")
    if short := [n for n in (f.shape[i] for i in places) if n < edge_order + 1]:
        raise ShapeError(
            f"gradient needs edge_order + 1 elements along each axis: {short[0]} < {edge_order + 1}"
        )
    pairs = zip(places, steps, strict=True)
    slopes = [_slope(xp, f, place, step, edge_order) for place, step in pairs]
    return slopes[0] if len(slopes) == 1 else tuple(slopes)


def _slope(xp: Any, f: Any, axis: int, step: Any, edge_order: int) -> Any:
    """Central differences along one axis, with a step or the places of the values."""
    f = xp.moveaxis(f, axis, -1)
    step = array(xp, step)
    if step.ndim == 0:
        return xp.moveaxis(_even(xp, f, xp.astype(step, f.dtype), edge_order), -1, axis)
    if step.shape != (f.shape[-1],):
        raise ShapeError(f"gradient: distances match the axis: {step.shape} != ({f.shape[-1]},)")
    slopes = _uneven(xp, f, xp.diff(floating(xp, step)), edge_order)
    return xp.moveaxis(xp.astype(slopes, f.dtype), -1, axis)


def _even(xp: Any, f: Any, h: Any, edge_order: int) -> Any:
    inner = (f[..., 2:] - f[..., :-2]) / (2.0 * h)
    if edge_order == 1:
        first, last = (f[..., 1:2] - f[..., :1]) / h, (f[..., -1:] - f[..., -2:-1]) / h
    else:
        first = (-1.5 / h) * f[..., :1] + (2.0 / h) * f[..., 1:2] + (-0.5 / h) * f[..., 2:3]
        last = (0.5 / h) * f[..., -3:-2] + (-2.0 / h) * f[..., -2:-1] + (1.5 / h) * f[..., -1:]
    return xp.concat([first, inner, last], axis=-1)


def _uneven(xp: Any, f: Any, h: Any, edge_order: int) -> Any:
    left, right = h[:-1], h[1:]
    a, b = -right / (left * (left + right)), (right - left) / (left * right)
    c = left / (right * (left + right))
    inner = a * f[..., :-2] + b * f[..., 1:-1] + c * f[..., 2:]
    if edge_order == 1:
        first, last = (f[..., 1:2] - f[..., :1]) / h[0], (f[..., -1:] - f[..., -2:-1]) / h[-1]
        return xp.concat([first, inner, last], axis=-1)
    s, t = h[0], h[1]
    first = -(2.0 * s + t) / (s * (s + t)) * f[..., :1] + (s + t) / (s * t) * f[..., 1:2]
    first = first - s / (t * (s + t)) * f[..., 2:3]
    s, t = h[-2], h[-1]
    last = t / (s * (s + t)) * f[..., -3:-2] - (t + s) / (s * t) * f[..., -2:-1]
    last = last + (2.0 * t + s) / (t * (s + t)) * f[..., -1:]
    return xp.concat([first, inner, last], axis=-1)


def interp(
    space: Any, /, x: Any, xp: Any, fp: Any, left: Any = None, right: Any = None,
    period: Any = None,
) -> Any:  # fmt: skip
    x, knots, values = (array(space, part) for part in (x, xp, fp))
    if knots.ndim != 1 or values.shape != knots.shape:
        raise ShapeError(
            f"interp: xp and fp are vectors of one length: {knots.shape}, {values.shape}"
        )
    wide = np.dtype(np.complex128 if values.dtype.kind == "c" else np.float64)
    x, knots = (space.astype(part, np.dtype(np.float64)) for part in (x, knots))
    values = space.astype(values, wide)
    if period is not None:
        x, knots, values = _unrolled(space, x, knots, values, abs(period))
        left = right = None
    plain, n = space.constants, knots.shape[0]
    place = plain.searchsorted(knots, space.reshape(x, (-1,)), side="right") - 1
    place = plain.clip(place, 0, n - 1)
    lower = plain.clip(place, 0, max(n - 2, 0))
    slopes = space.diff(values) / space.diff(knots) if n > 1 else space.zeros_like(values)
    y = space.take(slopes, lower) * (space.reshape(x, (-1,)) - space.take(knots, place))
    y = space.reshape(y + space.take(values, place), x.shape)
    left = values[0] if left is None else array(space, left)
    right = values[-1] if right is None else array(space, right)
    y = space.where(plain.less(x, knots[0]), space.astype(left, wide), y)
    return space.where(plain.greater(x, knots[-1]), space.astype(right, wide), y)


def _unrolled(space: Any, x: Any, knots: Any, values: Any, period: Any) -> tuple[Any, Any, Any]:
    """Bring everything into one period, with one more knot at either end."""
    x, knots = x % period, knots % period
    order = space.argsort(knots)
    knots, values = space.take(knots, order), space.take(values, order)
    knots = space.concat([knots[-1:] - period, knots, knots[:1] + period])
    return x, knots, space.concat([values[-1:], values, values[:1]])


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "diff": diff,
    "ediff1d": ediff1d,
    "gradient": gradient,
    "interp": interp,
    "trapezoid": trapezoid,
}
