"""Differences, integrals, interpolation, convolution and polynomials."""

from __future__ import annotations

import itertools
import operator
from collections.abc import Callable
from typing import Any

import numpy as np

from portanet.errors import ArgumentError, ShapeError
from portanet.tape.numpy.operands import (
    NOT_GIVEN, array, axes, flat, floating, one_axis, window,
)  # fmt: skip
from portanet.tape.rule import Multilinear, cast, conj


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
    steps = list(varargs) * len(places) if len(varargs) == 1 else list(varargs) or [1.0] * len(places)
    if len(steps) != len(places):
        raise TypeError("invalid number of arguments")
    if edge_order not in (1, 2):
        raise ValueError("'edge_order' greater than 2 not supported")
    if short := [n for n in (f.shape[i] for i in places) if n < edge_order + 1]:
        raise ShapeError(
            f"gradient needs edge_order + 1 elements along each axis: {short[0]} < {edge_order + 1}"
        )
    slopes = [_slope(xp, f, place, step, edge_order) for place, step in zip(places, steps, strict=True)]
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
        raise ShapeError(f"interp: xp and fp are vectors of one length: {knots.shape}, {values.shape}")
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


def _convolve_transpose(xp: Any, g: Any, other: Any, like: Any) -> Any:
    n = other.shape[0]
    y = convolve(xp, g, conj(xp, xp.flip(other)))[n - 1 : n - 1 + like.shape[0]]
    return cast(xp, y, like.dtype)


_CONVOLUTION = Multilinear(
    lambda xp, g, a, v: _convolve_transpose(xp, g, v, a),
    lambda xp, g, a, v: _convolve_transpose(xp, g, a, v),
)


def convolve(xp: Any, a: Any, v: Any, mode: str = "full") -> Any:
    a, v = flat(xp, a), flat(xp, v)
    if a.shape[0] < v.shape[0]:
        a, v = v, a
    if not v.shape[0]:
        raise ValueError("v cannot be empty")
    full = xp.__dict__.get("numpys_convolve")
    if full is None:
        full = xp.primitive("numpy.convolve", np.convolve, _CONVOLUTION)
        xp.__dict__["numpys_convolve"] = full
    n, m = a.shape[0], v.shape[0]
    return _cut(full(a, v), mode, n, m, (m - 1) // 2)


def correlate(xp: Any, a: Any, v: Any, mode: str = "valid") -> Any:
    a, v = flat(xp, a), flat(xp, v)
    n, m = a.shape[0], v.shape[0]
    full = convolve(xp, a, conj(xp, xp.flip(v)))
    return _cut(full, mode, max(n, m), min(n, m), (m - 1) // 2 if n >= m else n // 2)


def _cut(full: Any, mode: str, n: int, m: int, start: int) -> Any:
    """Cut the part that a mode names out of a full convolution of lengths ``n >= m``."""
    if mode not in ("full", "same", "valid"):
        raise ArgumentError(f"mode is 'full', 'same' or 'valid': got {mode!r}")
    if mode == "full":
        return full
    return full[start : start + n] if mode == "same" else full[m - 1 : n]


def polyval(xp: Any, p: Any, x: Any) -> Any:
    p, x = array(xp, p), array(xp, x)
    y = xp.zeros_like(x)
    for i in range(p.shape[0]):
        y = y * x + p[i]
    return y


def _poly_sum(sign: int) -> Callable[..., Any]:
    def body(xp: Any, a1: Any, a2: Any) -> Any:
        left, right = (flat(xp, p) for p in (a1, a2))
        n = max(left.shape[0], right.shape[0])
        left, right = (
            xp.concat([xp.zeros(n - p.shape[0], dtype=p.dtype), p]) for p in (left, right)
        )
        return left + right if sign > 0 else left - right

    return body


def polymul(xp: Any, a1: Any, a2: Any) -> Any:
    return convolve(xp, a1, a2)


def polyder(xp: Any, p: Any, m: int = 1) -> Any:
    p = flat(xp, p)
    for _ in range(m):
        p = p[:-1] * np.arange(p.shape[0] - 1, 0, -1)
    return p


def polyint(xp: Any, p: Any, m: int = 1, k: Any = None) -> Any:
    p = flat(xp, p)
    constants = np.broadcast_to(0 if k is None else k, (m,))
    for constant in constants:
        p = p / np.arange(p.shape[0], 0, -1)
        p = xp.concat([p, np.asarray([constant], dtype=p.dtype)])
    return p


def vander(xp: Any, x: Any, N: Any = None, increasing: bool = False) -> Any:
    x = array(xp, x)
    if x.ndim != 1:
        raise ShapeError(f"vander: x.ndim == 1: {x.ndim} != 1")
    count = x.shape[0] if N is None else operator.index(N)
    x = xp.astype(x, np.promote_types(x.dtype, int))
    powers = [xp.ones_like(x), *itertools.repeat(x, max(count - 1, 0))][:count]
    columns = list(itertools.accumulate(powers, xp.multiply))
    return xp.stack(columns if increasing else columns[::-1], axis=-1)


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "convolve": convolve,
    "correlate": correlate,
    "diff": diff,
    "ediff1d": ediff1d,
    "gradient": gradient,
    "interp": interp,
    "polyadd": _poly_sum(1),
    "polyder": polyder,
    "polyint": polyint,
    "polymul": polymul,
    "polysub": _poly_sum(-1),
    "polyval": polyval,
    "trapezoid": trapezoid,
    "vander": vander,
}
