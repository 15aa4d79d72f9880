"""Cards of the exponential, logarithmic, trigonometric and hyperbolic functions.

``atan2`` has the derivative 0 at the origin, on every backend.
"""

from __future__ import annotations

import math
from typing import Any

from portanet.tape.ops.card import Card
from portanet.tape.ops.words import Words
from portanet.tape.rule import Elementwise

LOGISTIC = """
template <typename T> __device__ T portanet_logistic(T a) {
    T e = exp(-fabs(a));
    return (a < 0 ? e : T(1)) / (T(1) + e);
}"""
_LOGADDEXP = """
template <typename T> __device__ T portanet_logaddexp(T a, T b) {
    if (a == b) return a + T(0.69314718055994530942);
    T gap = a - b;
    return gap > 0 ? a + log1p(exp(-gap)) : gap <= 0 ? b + log1p(exp(gap)) : gap;
}"""


def _atan2(xp: Any, d: Any, y: Any, side: Any, a: Any, b: Any) -> Any:
    radius = xp.hypot(a, b)
    radius = xp.where(radius == 0, 1.0, radius)
    return d * (side / radius / radius)


def _logaddexp(xp: Any, d: Any, y: Any, own: Any, other: Any) -> Any:
    if not hasattr(other, "shape"):
        other = xp.full_like(own, other)
    stuck = xp.logical_and(own == other, xp.isinf(own))
    return d * xp.logistic(xp.where(stuck, 0.0, own) - xp.where(stuck, 0.0, other))


def _logistic(raw: Any, x: Any) -> Any:
    e = raw.exp(-raw.abs(x))
    return raw.where(x < 0, e, 1.0) / (1.0 + e)


CARDS = [
    Card(
        "acos", Elementwise(lambda xp, d, y, x: -d / xp.sqrt(1 - x * x)),
        numpy="arccos", words="acos({0})",
    ),
    Card(
        "acosh", Elementwise(lambda xp, d, y, x: d / (xp.sqrt(x - 1) * xp.sqrt(x + 1))),
        numpy="arccosh", words="acosh({0})",
    ),
    Card(
        "asin", Elementwise(lambda xp, d, y, x: d / xp.sqrt(1 - x * x)),
        numpy="arcsin", words="asin({0})",
    ),
    Card(
        "asinh", Elementwise(lambda xp, d, y, x: d / xp.sqrt(x * x + 1)),
        numpy="arcsinh", words="asinh({0})",
    ),
    Card(
        "atan", Elementwise(lambda xp, d, y, x: d / (x * x + 1)),
        numpy="arctan", words="atan({0})",
    ),
    Card(
        "atanh", Elementwise(lambda xp, d, y, x: d / (1 - x * x)),
        numpy="arctanh", words="atanh({0})",
    ),
    Card(
        "atan2",
        Elementwise(
            lambda xp, d, y, a, b: _atan2(xp, d, y, b, a, b),
            lambda xp, d, y, a, b: -_atan2(xp, d, y, a, a, b),
        ),
        numpy="arctan2", words="atan2({0}, {1})",
    ),
    Card("cos", Elementwise(lambda xp, d, y, x: -d * xp.sin(x)), numpy="cos", words="cos({0})"),
    Card("cosh", Elementwise(lambda xp, d, y, x: d * xp.sinh(x)), numpy="cosh", words="cosh({0})"),
    Card("exp", Elementwise(lambda xp, d, y, x: d * y), numpy="exp", words="exp({0})"),
    Card("expm1", Elementwise(lambda xp, d, y, x: d * (y + 1)), numpy="expm1", words="expm1({0})"),
    Card("log", Elementwise(lambda xp, d, y, x: d / x), numpy="log", words="log({0})"),
    Card("log1p", Elementwise(lambda xp, d, y, x: d / (x + 1)), numpy="log1p", words="log1p({0})"),
    Card(
        "log2", Elementwise(lambda xp, d, y, x: d / (x * math.log(2))),
        numpy="log2", words="log2({0})",
    ),
    Card(
        "log10", Elementwise(lambda xp, d, y, x: d / (x * math.log(10))),
        numpy="log10", words="log10({0})",
    ),
    Card(
        "logaddexp", Elementwise(_logaddexp, lambda xp, d, y, a, b: _logaddexp(xp, d, y, b, a)),
        numpy="logaddexp", words=Words("portanet_logaddexp({0}, {1})", helpers=(_LOGADDEXP,)),
    ),
    Card(
        "logistic", Elementwise(lambda xp, d, y, x: d * (y * (1.0 - y))), fresh=True,
        words=Words("portanet_logistic({0})", helpers=(LOGISTIC,), several=True), body=_logistic,
    ),
    Card("sin", Elementwise(lambda xp, d, y, x: d * xp.cos(x)), numpy="sin", words="sin({0})"),
    Card("sinh", Elementwise(lambda xp, d, y, x: d * xp.cosh(x)), numpy="sinh", words="sinh({0})"),
    Card("tan", Elementwise(lambda xp, d, y, x: d * (y * y + 1)), numpy="tan", words="tan({0})"),
    Card("tanh", Elementwise(lambda xp, d, y, x: d * (1 - y * y)), numpy="tanh", words="tanh({0})"),
]  # fmt: skip
