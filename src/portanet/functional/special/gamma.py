"""The logarithm of the gamma function and its derivatives, which the standard lacks."""

from __future__ import annotations

import math
from typing import Any

from portanet import checks
from portanet.errors import HyperparameterError, shown
from portanet.functional.half import widened
from portanet.functional.kernel import kernel
from portanet.interface import array_namespace
from portanet.tape.ops.form import by_entries
from portanet.tape.rule import Elementwise

# Bernoulli numbers B2, B4, … of the asymptotic series.
_BERNOULLI = (
    1 / 6, -1 / 30, 1 / 42, -1 / 30, 5 / 66, -691 / 2730, 7 / 6, -3617 / 510, 43867 / 798,
)  # fmt: skip
_SHIFT = 9  # the series are used from here on: their error is below float64's there


def _poles(xp: Any, x: Any) -> Any:
    return xp.logical_and(x <= 0.0, x == xp.floor(x))


def _fraction(xp: Any, x: Any) -> Any:
    """The distance to the nearest integer: sin(pi x) of it loses no digits."""
    return x - xp.round(x)


def _shifted(xp: Any, w: Any) -> tuple[Any, Any]:
    """Move what is below `_SHIFT` above it, and say where."""
    small = w < _SHIFT
    return xp.where(small, w + _SHIFT, w), small


@kernel(rule=Elementwise(lambda xp, d, y, x: d * digamma(x)), numpy=by_entries, fresh=True)
def lgamma(x: Any) -> Any:
    r"""Logarithm of the absolute value of the gamma function.

    Parameters
    ----------
    x : array
        Real floating point numbers of any shape.

    Returns
    -------
    array
        The shape and dtype of `x`; infinite at 0, -1, -2, … In float64 the error is below 2e-14
        relative to the larger of the result and 1.

    Raises
    ------
    DTypeError
        If `x` holds no real floating point numbers.

    References
    ----------
    .. [1] M. Abramowitz and I. A. Stegun, "Handbook of Mathematical Functions", 6.1.40 (1964).

    Examples
    --------
    >>> import numpy as np
    >>> from portanet import functional
    >>> print(functional.lgamma(np.asarray([1.5, 5.0, -0.5])))
    [-0.12078224  3.17805383  1.26551212]
    """
    checks.real_floating("x", x)
    xp = array_namespace(x)
    wide = widened(x)
    special = xp.logical_or(_poles(xp, wide), xp.isinf(wide))
    inner = xp.where(special, 1.0, wide)
    negative = inner < 0.0
    w = xp.where(negative, 1.0 - inner, inner)
    z, small = _shifted(xp, w)
    product = w
    for k in range(1, _SHIFT):
        product = xp.where(small, product * (w + k), 1.0)
    y = (z - 0.5) * xp.log(z) - z + 0.5 * math.log(2.0 * math.pi)
    y = y + stirling(z) - xp.where(small, xp.log(xp.where(small, product, 1.0)), 0.0)
    sine = xp.abs(xp.sin(math.pi * _fraction(xp, inner)))
    mirrored = math.log(math.pi) - xp.log(xp.where(negative, sine, 1.0)) - y
    y = xp.where(negative, mirrored, y)
    return xp.astype(xp.where(special, math.inf, y), x.dtype, copy=False)


def stirling(z: Any) -> Any:
    """What the logarithm of the gamma function has beyond Stirling's formula, from 8 on."""
    inverse = 1.0 / z
    square, total = inverse * inverse, 0.0
    for k in range(len(_BERNOULLI), 0, -1):
        total = total * square + _BERNOULLI[k - 1] / (2 * k * (2 * k - 1))
    return total * inverse


@kernel(rule=Elementwise(lambda xp, d, y, x: d * polygamma(1, x)), numpy=by_entries, fresh=True)
def digamma(x: Any) -> Any:
    r"""Derivative of `lgamma`.

    Parameters
    ----------
    x : array
        Real floating point numbers of any shape.

    Returns
    -------
    array
        The shape and dtype of `x`; minus infinity at 0, NaN at -1, -2, … In float64 the error is
        below 1e-13 relative to the larger of the result and 1 (times the distance from a pole).

    Raises
    ------
    DTypeError
        If `x` holds no real floating point numbers.

    References
    ----------
    .. [1] M. Abramowitz and I. A. Stegun, "Handbook of Mathematical Functions", 6.3.18 (1964).

    Examples
    --------
    >>> import numpy as np
    >>> from portanet import functional
    >>> print(functional.digamma(np.asarray([1.0, 10.0])))
    [-0.57721566  2.25175259]
    """
    checks.real_floating("x", x)
    xp = array_namespace(x)
    wide = widened(x)
    special = xp.logical_or(_poles(xp, wide), xp.isinf(wide))
    inner = xp.where(special, 1.0, wide)
    negative = inner < 0.0
    w = xp.where(negative, 1.0 - inner, inner)
    z, small = _shifted(xp, w)
    steps = 0.0
    for k in range(_SHIFT):
        steps = steps + 1.0 / (w + k)
    inverse = 1.0 / z
    square, series = inverse * inverse, 0.0
    for k in range(len(_BERNOULLI), 0, -1):
        series = (series + _BERNOULLI[k - 1] / (2 * k)) * square
    y = xp.log(z) - 0.5 * inverse - series - xp.where(small, steps, 0.0)
    y = y - xp.where(negative, math.pi * _cotangent(xp, inner, negative), 0.0)
    ends = xp.where(
        wide > 0.0, math.inf, xp.where(wide == 0.0, -math.inf, xp.full_like(y, math.nan))
    )
    return xp.astype(xp.where(special, ends, y), x.dtype, copy=False)


def _cotangent(xp: Any, x: Any, wanted: Any) -> Any:
    """The cotangent of pi `x` where it is wanted, 1 elsewhere."""
    return 1.0 / xp.tan(math.pi * xp.where(wanted, _fraction(xp, x), 0.25))


def polygamma(n: int, x: Any) -> Any:
    r"""Derivative of order `n` of `digamma`.

    Parameters
    ----------
    n : int
        From 0 on; 0 is `digamma` itself.
    x : array
        Real floating point numbers of any shape.

    Returns
    -------
    array
        The shape and dtype of `x`. At 0, -1, -2, … infinite for odd `n` and NaN for even `n`. In
        float64 the relative error is below 1e-12 for small `n`.

    Raises
    ------
    HyperparameterError
        If `n` is no integer from 0 on.
    DTypeError
        If `x` holds no real floating point numbers.

    References
    ----------
    .. [1] M. Abramowitz and I. A. Stegun, "Handbook of Mathematical Functions", 6.4 (1964).

    Examples
    --------
    >>> import numpy as np
    >>> from portanet import functional
    >>> print(functional.polygamma(1, np.asarray([1.0])))
    [1.64493407]
    """
    if isinstance(n, bool) or not isinstance(n, int) or n < 0:
        raise HyperparameterError(f"n is an integer >= 0: got {shown(n)}")
    return digamma(x) if n == 0 else higher_gamma(x, order=n)


@kernel(rule=Elementwise(lambda xp, d, y, x, order: d * polygamma(order + 1, x)))
def higher_gamma(x: Any, *, order: int) -> Any:
    """Compute `polygamma` for an order from 1 on."""
    checks.real_floating("x", x)
    xp = array_namespace(x)
    wide = widened(x)
    pole = xp.logical_or(_poles(xp, wide), xp.isinf(wide))
    inner = xp.where(pole, 1.0, wide)
    negative = inner < 0.0
    w = xp.where(negative, 1.0 - inner, inner)
    y = (-1.0) ** (order + 1) * math.factorial(order) * _zeta(w, order)
    cotangent = _cotangent(xp, inner, negative)
    mirrored = (-1.0) ** order * y - math.pi ** (order + 1) * _cotangent_derivative(
        cotangent, order
    )
    y = xp.where(negative, mirrored, y)
    at_pole = math.inf if order % 2 else math.nan
    ends = xp.where(wide == math.inf, 0.0, xp.full_like(y, at_pole))
    return xp.astype(xp.where(pole, ends, y), x.dtype, copy=False)


def _zeta(w: Any, order: int) -> Any:
    """Hurwitz's zeta of ``order + 1`` at `w` by the formula of Euler and Maclaurin."""
    shift = _SHIFT + order
    total = 0.0
    for k in range(shift):
        total = total + (w + k) ** -(order + 1)
    z = w + shift
    total = total + z**-order / order + 0.5 * z ** -(order + 1)
    factor = float(order + 1)
    for j, number in enumerate(_BERNOULLI, start=1):
        total = total + (number * factor / math.factorial(2 * j)) * z ** -(order + 2 * j)
        factor *= (order + 2 * j) * (order + 2 * j + 1)
    return total


def _cotangent_derivative(c: Any, order: int) -> Any:
    """The derivative of the cotangent as a polynomial of the cotangent `c`."""
    coefficients = [0.0, 1.0]
    for _ in range(order):
        slope = [k * a for k, a in enumerate(coefficients)][1:]
        coefficients = [0.0] * (len(slope) + 2)
        for k, a in enumerate(slope):
            coefficients[k] -= a
            coefficients[k + 2] -= a
    total = 0.0
    for a in reversed(coefficients):
        total = total * c + a
    return total
