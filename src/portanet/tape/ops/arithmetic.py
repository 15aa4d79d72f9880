"""Cards of arithmetic: sums, products, powers, roots, and what is chosen among numbers.

``scale(xp, d, y, *args)`` is `d` times a partial derivative; it gets the result `y` and the
arguments, among which a Python scalar may stand in for an array.

Where a function has a kink, the derivative is the same on every backend: ``maximum`` and
``minimum`` share it equally between equal arguments, ``clip`` passes it on at its bounds, ``hypot``
has 0 at the origin, ``copysign`` 0 at 0.
"""

from __future__ import annotations

import cmath
import math
import operator
from collections.abc import Callable
from typing import Any

import numpy as np

from portanet.tape.ops.batching import elementwise
from portanet.tape.ops.card import Card, Role
from portanet.tape.ops.extremes import bounding
from portanet.tape.ops.form import Form, by_entries, called, kind_of, np_dtype, operand
from portanet.tape.ops.words import MAXIMUM, MINIMUM, Chosen, Clipped, Words
from portanet.tape.rule import Elementwise, is_complex

_POWERS = {(int, -1): "reciprocal", (int, 2): "square", (float, 0.5): "sqrt"}  # NumPy's shortcuts
_FORESEEN = 512  # entries of a mask that branches get along with
_NEW = 2048  # entries that NumPy chooses into new memory as soon as anybody could into its own
_BITS = "portanet_bits({0}) %s portanet_bits({1})"


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


def _pow_form(call: Any, x: Any, exponent: Any, **options: Any) -> Form | None:
    """The function that NumPy calls for a power, or one that gives the same sooner."""
    if options:
        return None
    if type(exponent) in (int, float):
        squared = np.square(np.empty(0, x.dtype)).dtype
        if exponent == 2 and kind_of(x) != "c" and squared == call.result.dtype:
            return called("square", 1)
        if call.primitive.compute is operator.pow and kind_of(x) in ("f", "c"):
            shortcut = _POWERS.get((type(exponent), exponent))
            if shortcut is not None:
                return called(shortcut, 1)
    return called("power", 2)


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


def _clip_form(call: Any, x: Any, low: Any, high: Any) -> Form | None:
    if kind_of(x) != "f" or not all(_is_finite(bound) for bound in (low, high)):
        return None
    if not np_dtype(x.dtype).isnative:  # the loops behind np.clip convert nothing
        return None
    # Unlike a maximum and a minimum, which branch, this is one pass of vector instructions.
    bounds = ("-inf" if low is None else low), ("inf" if high is None else high)
    text = "{{np._core.umath.clip}}({{0}}, {{number:{}}}, {{number:{}}}".format(*bounds)
    return Form(f"{text}, {{out}})", f"{text})", elementwise=True, rows=True)


def _is_finite(bound: Any) -> bool:
    return bound is None or (type(bound) in (int, float) and math.isfinite(bound))


def _clip(xp: Any, x: Any, /, min: Any = None, max: Any = None) -> Any:
    return xp.clip_between(x, min, max)


def _where_form(call: Any, condition: Any, x: Any, y: Any) -> Form | None:
    if kind_of(condition) != "b":
        return None
    if _FORESEEN < call.result.size <= _NEW:
        return Form(fresh=f"{{np.where}}({{0}}, {operand(call, 1)}, {operand(call, 2)})")
    # NumPy's own function, which stands for a constant, fills no memory that it is given.
    if call.result.size > _FORESEEN and call.primitive.compute is not np.where:
        return by_entries(call)
    all_of_it = "{out}[...] = {2}" if hasattr(y, "shape") else "{out}.fill({2})"
    some = f"{{np.copyto}}({{out}}, {operand(call, 1)}, where={{0}})"
    return Form(f"{all_of_it}; {some}", rows=True)


def _hypot(xp: Any, d: Any, y: Any, side: Any) -> Any:
    return d * (side / xp.where(y == 0, 1.0, y))


def _copysign(xp: Any, d: Any, y: Any, a: Any, b: Any) -> Any:
    return xp.where(a == 0, 0.0, xp.where(xp.signbit(a) == xp.signbit(y), d, -d))


def nothing(xp: Any, d: Any, y: Any, *args: Any) -> Any:
    """The scale of an argument on which a function does not depend, as far as it is smooth."""
    return xp.zeros_like(d)


CARDS = [
    Card(
        "add", Elementwise(lambda xp, d, y, a, b: d, lambda xp, d, y, a, b: d),
        numpy="add", words=Words("{0} + {1}", _BITS % "+"), role=Role.ADDITION,
    ),
    Card(
        "subtract", Elementwise(lambda xp, d, y, a, b: d, lambda xp, d, y, a, b: -d),
        numpy="subtract", words=Words("{0} - {1}", _BITS % "-"),
    ),
    Card(
        "multiply", Elementwise(lambda xp, d, y, a, b: d * b, lambda xp, d, y, a, b: d * a),
        numpy="multiply", words=Words("{0} * {1}", _BITS % "*"), neutral=(0, 1),
    ),
    Card(
        "divide", Elementwise(lambda xp, d, y, a, b: d / b, lambda xp, d, y, a, b: -d * (y / b)),
        numpy="divide", words="{0} / {1}", neutral=(1,),
    ),
    Card(
        "remainder",
        Elementwise(
            lambda xp, d, y, a, b: d, lambda xp, d, y, a, b: -d * xp.operators.floor_divide(a, b)
        ),
        numpy="remainder",
    ),
    Card(
        "negative", Elementwise(lambda xp, d, y, x: -d),
        numpy="negative", words=Words("-{0}", "portanet_bits(0) - portanet_bits({0})"),
    ),
    Card(
        "positive", Elementwise(lambda xp, d, y, x: d),
        numpy="positive", words=Words("{0}", "{0}"), identity=True,
    ),
    Card(
        "reciprocal", Elementwise(lambda xp, d, y, x: -d * (y * y)),
        numpy="reciprocal", words="{type}(1) / {0}",
    ),
    Card(
        "square", Elementwise(lambda xp, d, y, x: d * (2 * x)),
        numpy="square", words=Words("{0} * {0}", "portanet_bits({0}) * portanet_bits({0})"),
    ),
    Card("sqrt", Elementwise(lambda xp, d, y, x: d / (2 * y)), numpy="sqrt", words="sqrt({0})"),
    Card(
        "pow", Elementwise(_pow_base, _pow_exponent),
        numpy=_pow_form, words="pow({0}, {1})", fresh=True,
    ),
    Card(
        "hypot",
        Elementwise(
            lambda xp, d, y, a, b: _hypot(xp, d, y, a), lambda xp, d, y, a, b: _hypot(xp, d, y, b)
        ),
        numpy="hypot", words="hypot({0}, {1})",
    ),
    Card(
        "copysign", Elementwise(_copysign, nothing), numpy="copysign", words="copysign({0}, {1})"
    ),
    Card("nextafter", Elementwise(lambda xp, d, y, a, b: d, nothing), numpy="nextafter"),
    Card(
        "maximum", Elementwise(_maximum_first, _maximum_second), numpy=bounding("maximum"),
        words=Words(*("portanet_maximum({0}, {1})",) * 2, helpers=(MAXIMUM,)), fresh=True,
    ),
    Card(
        "minimum", Elementwise(_minimum_first, _minimum_second), numpy=bounding("minimum"),
        words=Words(*("portanet_minimum({0}, {1})",) * 2, helpers=(MINIMUM,)), fresh=True,
    ),
    Card(
        "clip_between", Elementwise(_clip_array, _clip_low, _clip_high),
        numpy=_clip_form, words=Clipped(), fresh=True,
        body=lambda raw, x, low, high: raw.clip(x, low, high),
    ),
    Card("clip", batching=elementwise, words=Clipped()),
    Card(
        "where",
        Elementwise(
            nothing,
            lambda xp, d, y, c, a, b: xp.where(c, d, 0.0),
            lambda xp, d, y, c, a, b: xp.where(c, 0.0, d),
        ),
        numpy=_where_form, words=Chosen(), fresh=True,
    ),
]  # fmt: skip

COMPOSITES: dict[str, Callable[..., Any]] = {"clip": _clip}
