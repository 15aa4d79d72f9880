"""The incomplete gamma and beta functions, which the standard lacks.

Both are integrals of a density with one peak. Its logarithm is concave in the logarithm of the
variable (of the odds, for beta), so that the tail away from the peak falls by a factor of
``exp(-_DROP)`` within a length that Newton's method finds, and on that length a few nodes of Gauss
and Legendre integrate it. Shapes below `_LEAST` are raised by the recurrences first.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from portanet import checks
from portanet.errors import NoDerivativeError
from portanet.functional.kernel import kernel
from portanet.functional.special.gamma import lgamma, stirling
from portanet.interface import array_namespace
from portanet.tape.rule import Elementwise

__all__ = ["betainc", "gammainc"]

_DROP = 37.0  # exp(-37) is below half the precision of float64
_LEAST = 8  # shapes from which on the nodes below leave an error of 1e-14
_NODES, _WEIGHTS = ((np.polynomial.legendre.leggauss(28)[i] + 1 - i) / 2 for i in (0, 1))
_SERIES = 22  # terms of log(1 + u) up to `_NEAR`
_NEAR = 0.1
_LOWEST = 2.0**-53 - 1.0  # the number above -1, of whose logarithm much is left


def _log1p_rest(xp: Any, u: Any) -> Any:
    """``log(1 + u) - u`` without cancellation."""
    near = xp.abs(u) < _NEAR
    small, total = xp.where(near, u, 0.0), 0.0
    for k in range(_SERIES, 1, -1):
        total = (total + (-1.0) ** (k + 1) / k) * small
    far = xp.maximum(xp.where(near, xp.ones_like(u), u), _LOWEST)
    return xp.where(near, total * small, xp.log1p(far) - far)


def _length(start: Any, drop: Callable[[Any], tuple[Any, Any]], steps: int) -> Any:
    """Return where the density has dropped: `drop` gives its logarithm and the slope of that."""
    for _ in range(steps):
        fallen, slope = drop(start)
        start = start - (fallen - _DROP) / slope
    return start


def _tail(xp: Any, length: Any, exponent: Callable[[Any], Any]) -> Any:
    """Integrate ``exp(exponent)`` over distances from 0 to `length`."""
    total = 0.0
    for node, weight in zip(_NODES.tolist(), _WEIGHTS.tolist(), strict=True):
        total = total + weight * xp.exp(exponent(node * length))
    return total * length


def _raised(xp: Any, a: Any) -> tuple[Any, Any]:
    """Return a shape that is large enough, and whether that is another one."""
    small = a < _LEAST
    return xp.where(small, a + _LEAST, a), small


def _terms(xp: Any, first: Any, ratio: Callable[[int], Any], wanted: Any) -> Any:
    """Add up the terms of a recurrence where they are wanted."""
    total, term = 0.0, first
    for k in range(_LEAST):
        total, term = total + term, term * ratio(k)
    return xp.where(wanted, total, 0.0)


def _gamma_density(xp: Any, a: Any, x: Any) -> Any:
    """``x**a exp(-x) / gamma(a)`` for shapes that are large enough."""
    rest = a * _log1p_rest(xp, (x - a) / a)
    return xp.sqrt(a / (2.0 * math.pi)) * xp.exp(rest - stirling(a))


def _gamma_slope(xp: Any, d: Any, y: Any, a: Any, x: Any) -> Any:
    one = a == 1.0
    powers = xp.where(one, 0.0, (a - 1.0) * xp.log(xp.where(one, 1.0, x)))
    return d * xp.exp(powers - x - lgamma(a))


def _beta_slope(xp: Any, d: Any, y: Any, a: Any, b: Any, x: Any) -> Any:
    first, last = a == 1.0, b == 1.0
    powers = xp.where(first, 0.0, (a - 1.0) * xp.log(xp.where(first, 1.0, x)))
    powers = powers + xp.where(last, 0.0, (b - 1.0) * xp.log1p(-xp.where(last, 0.0, x)))
    return d * xp.exp(powers + lgamma(a + b) - lgamma(a) - lgamma(b))


def _of_shape(name: str, shape: str) -> Callable[..., Any]:
    def scale(xp: Any, d: Any, y: Any, *args: Any) -> Any:
        raise NoDerivativeError(
            f"{name} has no derivative with respect to {shape}, which has no closed form: keep "
            f"{shape} out of the derivative, or give it one with pn.custom_jvp"
        )

    return scale


def gammainc(a: Any, x: Any, /) -> Any:
    r"""Regularised lower incomplete gamma function.

    .. math:: P(a, x) = \frac{1}{\Gamma(a)} \int_0^x t^{a - 1} e^{-t} \, dt

    Parameters
    ----------
    a : array
        The shape: real floating point numbers above 0.
    x : array
        Real numbers of the dtype of `a`, from 0 on. The two are broadcast.

    Returns
    -------
    array
        Numbers from 0 to 1, of the dtype of `a`; NaN where `a` or `x` is out of range. In float64
        the error is below 2e-14 for `a` up to 100, and grows with the root of `a`.

    Raises
    ------
    DTypeError
        If `a` and `x` are not of one real floating point dtype.
    NoDerivativeError
        For a derivative with respect to `a` on NumPy, CuPy and array_api_strict. With respect to
        `x` there are those of every order.

    References
    ----------
    .. [1] M. Abramowitz and I. A. Stegun, "Handbook of Mathematical Functions", 6.5 (1964).

    Examples
    --------
    >>> import numpy as np
    >>> from portanet import functional
    >>> print(functional.gammainc(np.asarray([1.0, 2.5]), np.asarray([1.0, 4.0])))
    [0.63212056 0.84376437]
    """
    checks.real_floating("a", a)
    checks.same_kind("a", a, "x", x)
    return gamma_share(a, x)


@kernel(rule=Elementwise(_of_shape("gammainc", "a"), _gamma_slope))
def gamma_share(a: Any, x: Any) -> Any:
    """Compute `gammainc`."""
    xp, dtype = array_namespace(a, x), x.dtype
    a, x = xp.astype(a, xp.float64, copy=False), xp.astype(x, xp.float64, copy=False)
    valid = xp.logical_and(xp.logical_and(a > 0.0, a < math.inf), x >= 0.0)
    ends = xp.logical_or(x == 0.0, x == math.inf)
    inner = xp.logical_and(valid, xp.logical_not(ends))
    small_a, z = xp.where(inner, a, 1.0), xp.where(inner, x, 1.0)
    a, small = _raised(xp, small_a)
    left = z < a
    sign, gap = xp.where(left, -xp.ones_like(z), 1.0), xp.abs(z - a)

    def drop(h: Any) -> tuple[Any, Any]:
        growth = xp.expm1(sign * h)
        return z * growth - a * sign * h, sign * (z * (growth + 1.0) - a)

    # The root of a bound: to the left a little more than the parabola, which bounds the right.
    p = xp.where(left, gap / 3.0, 0.0) + z / 2.0
    q = xp.where(left, gap - _DROP / 3.0, gap)
    length = _length((xp.sqrt(q * q + 4.0 * p * _DROP) - q) / (2.0 * p), drop, 4)
    tail = _tail(xp, length, lambda h: a * sign * h - z * xp.expm1(sign * h))
    tail = tail * _gamma_density(xp, a, z)
    first = xp.exp(small_a * xp.log(z) - z - lgamma(small_a + 1.0))
    y = xp.where(left, tail, 1.0 - tail)
    y = y + _terms(xp, first, lambda k: z / (small_a + (k + 1.0)), small)
    y = xp.where(inner, y, xp.astype(x > 0.0, xp.float64))
    return xp.astype(xp.where(valid, xp.minimum(y, 1.0), math.nan), dtype, copy=False)


def betainc(a: Any, b: Any, x: Any, /) -> Any:
    r"""Regularised incomplete beta function.

    .. math:: I_x(a, b) = \frac{1}{B(a, b)} \int_0^x t^{a - 1} (1 - t)^{b - 1} \, dt

    Parameters
    ----------
    a, b : array
        The shapes: real floating point numbers above 0.
    x : array
        Real numbers of the dtype of `a`, from 0 to 1. The three are broadcast.

    Returns
    -------
    array
        Numbers from 0 to 1, of the dtype of `a`; NaN where an argument is out of range. In float64
        the error is below ``1e-14 (a + b + 10)``.

    Raises
    ------
    DTypeError
        If `a`, `b` and `x` are not of one real floating point dtype.
    NoDerivativeError
        For a derivative with respect to `a` or `b` on NumPy, CuPy and array_api_strict. With
        respect to `x` there are those of every order.

    References
    ----------
    .. [1] M. Abramowitz and I. A. Stegun, "Handbook of Mathematical Functions", 26.5 (1964).

    Examples
    --------
    >>> import numpy as np
    >>> from portanet import functional
    >>> print(functional.betainc(*map(np.asarray, ([2.0, 0.5], [3.0, 0.5], [0.5, 0.25]))))
    [0.6875     0.33333333]
    """
    checks.real_floating("a", a)
    checks.same_kind("a", a, "b", b)
    checks.same_kind("a", a, "x", x)
    return beta_share(a, b, x)


@kernel(rule=Elementwise(_of_shape("betainc", "a"), _of_shape("betainc", "b"), _beta_slope))
def beta_share(a: Any, b: Any, x: Any) -> Any:
    """Compute `betainc`."""
    xp, dtype = array_namespace(a, b, x), x.dtype
    a, b, x = (xp.astype(part, xp.float64, copy=False) for part in (a, b, x))
    shapes = xp.logical_and(a > 0.0, b > 0.0)
    valid = xp.logical_and(shapes, xp.logical_and(a + b < math.inf, xp.abs(x - 0.5) <= 0.5))
    inner = xp.logical_and(valid, xp.logical_and(x > 0.0, x < 1.0))
    small_a, small_b = xp.where(inner, a, 1.0), xp.where(inner, b, 1.0)
    z = xp.where(inner, x, 0.5)
    (a, raised_a), (b, raised_b) = _raised(xp, small_a), _raised(xp, small_b)
    total, peak = a + b, a / (a + b)
    away = z - peak
    right = away > 0.0
    near, own = xp.where(right, 1.0 - z, z), xp.where(right, b, a)

    def drop(h: Any) -> tuple[Any, Any]:
        shrunk = xp.expm1(-h)
        rest = 1.0 + near * shrunk
        slope = own - total * near * (shrunk + 1.0) / rest
        return own * h + total * xp.log1p(near * shrunk), slope

    slope, bend = xp.abs(away) * total, total * z * (1.0 - z)
    start = 2.0 * _DROP / (xp.sqrt(slope * slope + 2.0 * bend * _DROP) + slope)
    tail = _tail(xp, _length(start, drop, 5), lambda h: -drop(h)[0])
    rest = a * _log1p_rest(xp, away / peak) + b * _log1p_rest(xp, -away / (b / total))
    rest = rest - stirling(a) - stirling(b) + stirling(total)
    tail = tail * (xp.sqrt(a * b / (2.0 * math.pi * total)) * xp.exp(rest))
    log, other = xp.log(z), xp.log1p(-z)
    first = small_a * log + b * other + lgamma(small_a + b) - lgamma(small_a + 1.0) - lgamma(b)
    last = small_a * log + small_b * other + lgamma(small_a + small_b)
    last = last - lgamma(small_a) - lgamma(small_b + 1.0)
    y = xp.where(right, 1.0 - tail, tail)
    y = y + _terms(
        xp, xp.exp(first), lambda k: z * (small_a + b + k) / (small_a + (k + 1.0)), raised_a
    )
    y = y - _terms(
        xp,
        xp.exp(last),
        lambda k: (1.0 - z) * (small_a + small_b + k) / (small_b + (k + 1.0)),
        raised_b,
    )
    y = xp.where(inner, xp.minimum(xp.maximum(y, 0.0), 1.0), xp.astype(x > 0.5, xp.float64))
    return xp.astype(xp.where(valid, y, math.nan), dtype, copy=False)
