"""Rules of the elementwise functions: each line is `d` times a partial derivative.

``scale(xp, d, y, *args)`` gets the result `y` and the arguments. A Python scalar may stand in
for an array among the arguments.

Where a function has a kink, the derivative is the same on every backend: ``abs`` has 0 at 0,
``maximum`` and ``minimum`` share it equally between equal arguments, ``clip`` passes it on at its
bounds, ``hypot`` and ``atan2`` have 0 at the origin, ``copysign`` and ``sign`` of complex numbers
0 at 0.
"""

from __future__ import annotations

import cmath
import math
from collections.abc import Callable
from typing import Any

from portanet.tape.rule import Elementwise, Explicit, Rule, conj, is_complex


def _pow_base(xp: Any, d: Any, y: Any, x: Any, p: Any) -> Any:
    if isinstance(p, int | float | complex):
        if p == 2:
            return d * (2 * x)
        return d * (p * x ** (p - 1)) if p != 0 else d * 0
    flat = p == 0
    return d * (p * x ** xp.where(flat, 1.0, p - 1))


def _pow_exponent(xp: Any, d: Any, y: Any, x: Any, p: Any) -> Any:
    if isinstance(x, int | float | complex):
        if x == 0:
            return xp.zeros_like(d)
        log = cmath.log(x)
        if not is_complex(xp, y.dtype):
            log = math.nan if log.imag else log.real
        return d * (y * log)
    zero = x == 0
    return d * xp.where(zero, 0.0, y * xp.log(xp.where(zero, 1.0, x)))


def _share(xp: Any, d: Any, wins: Any, ties: Any) -> Any:
    return xp.where(wins, d, xp.where(ties, d / 2, 0.0))


def _maximum_first(xp: Any, d: Any, y: Any, a: Any, b: Any) -> Any:
    return _share(xp, d, a > b, a == b)


def _maximum_second(xp: Any, d: Any, y: Any, a: Any, b: Any) -> Any:
    return _share(xp, d, b > a, a == b)


def _minimum_first(xp: Any, d: Any, y: Any, a: Any, b: Any) -> Any:
    return _share(xp, d, a < b, a == b)


def _minimum_second(xp: Any, d: Any, y: Any, a: Any, b: Any) -> Any:
    return _share(xp, d, b < a, a == b)


def _clip_array(xp: Any, d: Any, y: Any, x: Any, low: Any, high: Any) -> Any:
    if low is not None:
        d = xp.where(x < low, 0.0, d)
    return d if high is None else xp.where(x > high, 0.0, d)


def _clip_low(xp: Any, d: Any, y: Any, x: Any, low: Any, high: Any) -> Any:
    d = xp.where(x < low, d, 0.0)
    return d if high is None else xp.where(low > high, 0.0, d)


def _clip_high(xp: Any, d: Any, y: Any, x: Any, low: Any, high: Any) -> Any:
    over = x > high if low is None else xp.logical_or(x > high, low > high)
    return xp.where(over, d, 0.0)


def _hypot(xp: Any, d: Any, y: Any, side: Any) -> Any:
    return d * (side / xp.where(y == 0, 1.0, y))


def _atan2(xp: Any, d: Any, y: Any, side: Any, a: Any, b: Any) -> Any:
    radius = xp.hypot(a, b)
    radius = xp.where(radius == 0, 1.0, radius)
    return d * (side / radius / radius)


def _copysign(xp: Any, d: Any, y: Any, a: Any, b: Any) -> Any:
    return xp.where(a == 0, 0.0, xp.where(xp.signbit(a) == xp.signbit(y), d, -d))


def _logaddexp(xp: Any, d: Any, y: Any, own: Any, other: Any) -> Any:
    if not hasattr(other, "shape"):
        other = xp.full_like(own, other)
    stuck = xp.logical_and(own == other, xp.isinf(own))
    return d * xp.logistic(xp.where(stuck, 0.0, own) - xp.where(stuck, 0.0, other))


def _logistic(raw: Any, x: Any) -> Any:
    e = raw.exp(-raw.abs(x))
    return raw.where(x < 0, e, 1.0) / (1.0 + e)


def _nothing(xp: Any, d: Any, y: Any, *args: Any) -> Any:
    return xp.zeros_like(d)


_UNARY: dict[str, Rule] = {
    "acos": Elementwise(lambda xp, d, y, x: -d / xp.sqrt(1 - x * x)),
    "acosh": Elementwise(lambda xp, d, y, x: d / (xp.sqrt(x - 1) * xp.sqrt(x + 1))),
    "asin": Elementwise(lambda xp, d, y, x: d / xp.sqrt(1 - x * x)),
    "asinh": Elementwise(lambda xp, d, y, x: d / xp.sqrt(x * x + 1)),
    "atan": Elementwise(lambda xp, d, y, x: d / (x * x + 1)),
    "atanh": Elementwise(lambda xp, d, y, x: d / (1 - x * x)),
    "cos": Elementwise(lambda xp, d, y, x: -d * xp.sin(x)),
    "cosh": Elementwise(lambda xp, d, y, x: d * xp.sinh(x)),
    "exp": Elementwise(lambda xp, d, y, x: d * y),
    "expm1": Elementwise(lambda xp, d, y, x: d * (y + 1)),
    "log": Elementwise(lambda xp, d, y, x: d / x),
    "log1p": Elementwise(lambda xp, d, y, x: d / (x + 1)),
    "log2": Elementwise(lambda xp, d, y, x: d / (x * math.log(2))),
    "log10": Elementwise(lambda xp, d, y, x: d / (x * math.log(10))),
    "negative": Elementwise(lambda xp, d, y, x: -d),
    "positive": Elementwise(lambda xp, d, y, x: d),
    "reciprocal": Elementwise(lambda xp, d, y, x: -d * (y * y)),
    "sin": Elementwise(lambda xp, d, y, x: d * xp.cos(x)),
    "sinh": Elementwise(lambda xp, d, y, x: d * xp.cosh(x)),
    "sqrt": Elementwise(lambda xp, d, y, x: d / (2 * y)),
    "square": Elementwise(lambda xp, d, y, x: d * (2 * x)),
    "tan": Elementwise(lambda xp, d, y, x: d * (y * y + 1)),
    "tanh": Elementwise(lambda xp, d, y, x: d * (1 - y * y)),
}

_BINARY: dict[str, Rule] = {
    "add": Elementwise(lambda xp, d, y, a, b: d, lambda xp, d, y, a, b: d),
    "atan2": Elementwise(
        lambda xp, d, y, a, b: _atan2(xp, d, y, b, a, b),
        lambda xp, d, y, a, b: -_atan2(xp, d, y, a, a, b),
    ),
    "copysign": Elementwise(_copysign, _nothing),
    "divide": Elementwise(lambda xp, d, y, a, b: d / b, lambda xp, d, y, a, b: -d * (y / b)),
    "hypot": Elementwise(
        lambda xp, d, y, a, b: _hypot(xp, d, y, a), lambda xp, d, y, a, b: _hypot(xp, d, y, b)
    ),
    "logaddexp": Elementwise(_logaddexp, lambda xp, d, y, a, b: _logaddexp(xp, d, y, b, a)),
    "maximum": Elementwise(_maximum_first, _maximum_second),
    "minimum": Elementwise(_minimum_first, _minimum_second),
    "multiply": Elementwise(lambda xp, d, y, a, b: d * b, lambda xp, d, y, a, b: d * a),
    "nextafter": Elementwise(lambda xp, d, y, a, b: d, _nothing),
    "pow": Elementwise(_pow_base, _pow_exponent),
    "remainder": Elementwise(
        lambda xp, d, y, a, b: d, lambda xp, d, y, a, b: -d * xp.operators.floor_divide(a, b)
    ),
    "subtract": Elementwise(lambda xp, d, y, a, b: d, lambda xp, d, y, a, b: -d),
}

_TERNARY: dict[str, Rule] = {
    "where": Elementwise(
        _nothing,
        lambda xp, d, y, c, a, b: xp.where(c, d, 0.0),
        lambda xp, d, y, c, a, b: xp.where(c, 0.0, d),
    ),
}


def _complex_like(xp: Any, real: Any, x: Any, factor: complex) -> Any:
    if not is_complex(xp, x.dtype):
        return real
    return xp.astype(real, x.dtype) * factor


_COMPLEX: dict[str, Rule] = {
    "abs": Explicit(
        lambda xp, g, y, x: (
            g * xp.sign(x)
            if not is_complex(xp, x.dtype)
            else xp.astype(g, x.dtype) * direction(xp, y, x)
        ),
        lambda xp, t, y, x: (
            t * xp.sign(x)
            if not is_complex(xp, x.dtype)
            else xp.real(conj(xp, direction(xp, y, x)) * t)
        ),
    ),
    "conj": Explicit(lambda xp, g, y, x: conj(xp, g), lambda xp, t, y, x: conj(xp, t)),
    "imag": Explicit(
        lambda xp, g, y, x: _complex_like(xp, g, x, 1j) if is_complex(xp, x.dtype) else 0.0 * g,
        lambda xp, t, y, x: xp.imag(t),
    ),
    "real": Explicit(
        lambda xp, g, y, x: _complex_like(xp, g, x, 1.0), lambda xp, t, y, x: xp.real(t)
    ),
}


def direction(xp: Any, y: Any, x: Any) -> Any:
    """The complex number `x` divided by its absolute value `y`; 0 where that is 0."""
    return x / xp.astype(xp.where(y == 0, 1.0, y), x.dtype)


def _turn(xp: Any, d: Any, y: Any, x: Any) -> Any:
    """The derivative of ``x / abs(x)`` along `d`: what of it turns `x`. It is its own adjoint."""
    size = xp.abs(x)
    turned = d - y * xp.astype(xp.real(conj(xp, y) * d), x.dtype)
    return xp.where(size == 0, 0.0, turned / xp.astype(xp.where(size == 0, 1.0, size), x.dtype))


RULES: dict[str, Rule] = {**_UNARY, **_BINARY, **_TERNARY, **_COMPLEX}

EXTENSIONS: dict[str, tuple[Rule, Callable[..., Any]]] = {
    "clip_between": (
        Elementwise(_clip_array, _clip_low, _clip_high),
        lambda raw, x, low, high: raw.clip(x, low, high),
    ),
    "sign_of_complex": (Explicit(_turn, _turn), lambda raw, x: raw.sign(x)),
    "logistic": (Elementwise(lambda xp, d, y, x: d * (y * (1.0 - y))), _logistic),
}


def _clip(xp: Any, x: Any, /, min: Any = None, max: Any = None) -> Any:
    return xp.clip_between(x, min, max)


def _sign(xp: Any, x: Any, /) -> Any:
    if not is_complex(xp, x.dtype):
        return xp.constants.sign(x)
    return xp.sign_of_complex(x)


COMPOSITES: dict[str, Callable[..., Any]] = {"clip": _clip, "sign": _sign}
