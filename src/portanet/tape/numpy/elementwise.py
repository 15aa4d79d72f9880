"""NumPy's functions of single elements that the standard lacks: NumPy's values, rules of ours."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from portanet.tape.numpy.operands import array, constant
from portanet.tape.ops.card import Card
from portanet.tape.ops.table import CARDS
from portanet.tape.rule import Elementwise, Rule, is_complex

_LOG2 = math.log(2.0)
_NODES = np.cos((np.arange(128) + 0.5) * (math.pi / 128))  # exact below the overflow of exp
_SMALL = 0.3  # below it the series of sinc loses less than the quotient


def _nothing(xp: Any, d: Any, y: Any, *args: Any) -> Any:
    return xp.zeros_like(d)


def _share_2(xp: Any, d: Any, own: Any, other: Any) -> Any:
    """The weight of one operand of ``logaddexp2``."""
    stuck = xp.logical_and(own == other, xp.isinf(xp.asarray(own)))
    return d * xp.logistic(_LOG2 * xp.where(stuck, 0.0, own - xp.where(stuck, 0.0, other)))


def _chosen(xp: Any, d: Any, wins: Any, ties: Any, lost: Any) -> Any:
    return xp.where(wins, d, xp.where(ties, d / 2, xp.where(lost, d, 0.0)))


def _fmax(xp: Any, d: Any, own: Any, other: Any) -> Any:
    return _chosen(xp, d, own > other, own == other, other != other)


def _fmin(xp: Any, d: Any, own: Any, other: Any) -> Any:
    return _chosen(xp, d, own < other, own == other, other != other)


def _sinc(xp: Any, d: Any, y: Any, x: Any) -> Any:
    near = xp.abs(x) < _SMALL
    t = math.pi * xp.where(near, x, 0.0)
    square, series = t * t, 0.0
    for k in range(9, 0, -1):
        series = (-1) ** k * 2 * k / math.factorial(2 * k + 1) + series * square
    far = xp.where(near, 1.0, x)
    quotient = (xp.cos(math.pi * far) - xp.sin(math.pi * far) / (math.pi * far)) / far
    return d * xp.where(near, math.pi * t * series, quotient)


def _bessel_i1(xp: Any, x: Any) -> Any:
    """The modified Bessel function I1: the mean of exp(x cos t) cos t over half a turn."""
    nodes = _NODES.astype(x.dtype)
    return xp.mean(xp.exp(x[..., None] * nodes) * nodes, axis=-1)


def _ldexp(xp: Any, d: Any, y: Any, x: Any, n: Any) -> Any:
    return d * native(xp, np.exp2)(xp.astype(array(xp, n), d.dtype))


UFUNCS: dict[Any, Rule] = {
    np.cbrt: Elementwise(lambda xp, d, y, x: d / (3 * y * y)),
    np.deg2rad: Elementwise(lambda xp, d, y, x: d * (math.pi / 180)),
    np.degrees: Elementwise(lambda xp, d, y, x: d * (180 / math.pi)),
    np.exp2: Elementwise(lambda xp, d, y, x: d * (_LOG2 * y)),
    np.float_power: CARDS["pow"].rule,
    np.fmax: Elementwise(
        lambda xp, d, y, a, b: _fmax(xp, d, a, b), lambda xp, d, y, a, b: _fmax(xp, d, b, a)
    ),
    np.fmin: Elementwise(
        lambda xp, d, y, a, b: _fmin(xp, d, a, b), lambda xp, d, y, a, b: _fmin(xp, d, b, a)
    ),
    np.fmod: Elementwise(
        lambda xp, d, y, a, b: d, lambda xp, d, y, a, b: -d * xp.trunc(xp.divide(a, b))
    ),
    np.heaviside: Elementwise(_nothing, lambda xp, d, y, a, b: xp.where(a == 0, d, 0.0)),
    np.ldexp: Elementwise(_ldexp, _nothing),
    np.logaddexp2: Elementwise(
        lambda xp, d, y, a, b: _share_2(xp, d, a, b), lambda xp, d, y, a, b: _share_2(xp, d, b, a)
    ),
    np.rad2deg: Elementwise(lambda xp, d, y, x: d * (180 / math.pi)),
    np.radians: Elementwise(lambda xp, d, y, x: d * (math.pi / 180)),
}


def fraction(x: Any) -> Any:
    """The first result of ``np.modf``, with the signs that it gives to zeros."""
    return np.modf(x)[0]


_OTHERS: dict[Any, Rule] = {
    fraction: Elementwise(lambda xp, d, y, x: d),
    np.i0: Elementwise(lambda xp, d, y, x: d * _bessel_i1(xp, x)),
    np.sinc: Elementwise(_sinc),
}


def native(xp: Any, function: Any) -> Callable[..., Any]:
    """Return one of the functions above with its rule, recorded as a call of NumPy's own."""
    made = xp.__dict__.setdefault("numpys_own", {})
    if function not in made:
        rule = UFUNCS.get(function) or _OTHERS[function]
        card = Card(f"numpy.{function.__name__}", rule, fresh=True)
        made[function] = xp.primitive(card, function)
    return made[function]


def _native(function: Any) -> Callable[..., Any]:
    return lambda xp, x: native(xp, function)(x)


def angle(xp: Any, z: Any, deg: bool = False) -> Any:
    real, imag = (xp.real(z), xp.imag(z)) if is_complex(xp, z.dtype) else (z, xp.zeros_like(z))
    a = xp.atan2(imag, real)
    return a * (180 / math.pi) if deg else a


def nan_to_num(
    xp: Any, x: Any, copy: bool = True, nan: Any = 0.0, posinf: Any = None, neginf: Any = None
) -> Any:
    if is_complex(xp, x.dtype):
        parts = xp.real(x), xp.imag(x)
        real, imag = (nan_to_num(xp, part, copy, nan, posinf, neginf) for part in parts)
        return real + 1j * imag
    if x.dtype.kind != "f":
        return x
    limits = np.finfo(x.dtype)
    posinf = limits.max if posinf is None else posinf
    neginf = limits.min if neginf is None else neginf
    plain = xp.constants
    x = _replaced(xp, plain.isnan(x), nan, x)
    x = _replaced(xp, plain.equal(x, np.inf), posinf, x)
    return _replaced(xp, plain.equal(x, -np.inf), neginf, x)


def _replaced(xp: Any, where: Any, value: Any, x: Any) -> Any:
    value = array(xp, value)
    return xp.where(where, value if value.dtype == x.dtype else xp.astype(value, x.dtype), x)


def real_if_close(xp: Any, a: Any, tol: float = 100) -> Any:
    if not is_complex(xp, a.dtype):
        return a
    tol = tol * float(np.finfo(a.dtype).eps) if tol > 1 else tol
    return xp.real(a) if xp.all(xp.constants.abs(xp.constants.imag(a)) < tol) else a


def unwrap(
    xp: Any, p: Any, discont: Any = None, axis: int = -1, *, period: float = 2 * math.pi
) -> Any:
    """Add the whole periods that NumPy adds."""
    bare = constant(xp, np.positive)(p)
    moved = constant(xp, np.unwrap)(bare, discont, axis, period=period)
    return p + constant(xp, np.where)(moved == bare, 0.0, moved - bare)


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "angle": angle,
    "i0": _native(np.i0),
    "imag": lambda xp, val: xp.imag(val),
    "nan_to_num": nan_to_num,
    "real": lambda xp, val: xp.real(val),
    "real_if_close": real_if_close,
    "sinc": _native(np.sinc),
    "unwrap": unwrap,
}
