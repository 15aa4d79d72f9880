"""Activations that saturate, and the smooth ramps whose derivatives they are."""

from __future__ import annotations

import math
from typing import Any

from portanet import checks
from portanet.functional.kernel import kernel
from portanet.interface import array_namespace
from portanet.tape.ops.transcendental import LOGISTIC, bounded_form, logistic_form
from portanet.tape.ops.words import Words
from portanet.tape.rule import Elementwise


@kernel(
    takes=checks.real_floating,
    rule=Elementwise(lambda xp, d, y, x: d * (y * (1.0 - y))),
    numpy=logistic_form,
    words=Words("portanet_logistic({0})", helpers=(LOGISTIC,), several=True),
    fresh=True,
)
def sigmoid(x: Any) -> Any:
    """Logistic function, ``1 / (1 + exp(-x))``.

    Parameters
    ----------
    x : array
        Real floating point numbers of any shape.

    Returns
    -------
    array
        Numbers from 0 to 1; the shape and dtype of `x`. Nothing overflows on the way.

    Raises
    ------
    DTypeError
        If `x` holds no real floating point numbers.

    Examples
    --------
    >>> import numpy as np
    >>> import portanet as pn
    >>> print(pn.sigmoid(np.asarray([-1000.0, 0.0, 2.0])))
    [0.         0.5        0.88079708]
    """
    xp = array_namespace(x)
    return xp.exp(xp.minimum(x, 0.0)) / (1.0 + xp.exp(-xp.abs(x)))


@kernel(
    rule=Elementwise(lambda xp, d, y, x: d * (y * (1.0 - y))),
    numpy=bounded_form,
    words=Words("portanet_logistic({0})", helpers=(LOGISTIC,), several=True),
    fresh=True,
)
def bounded_sigmoid(x: Any) -> Any:
    """Return the `sigmoid` of numbers of which the exponential is finite."""
    odds = array_namespace(x).exp(x)
    return odds / (odds + 1.0)


@kernel(takes=checks.real_floating, rule=Elementwise(lambda xp, d, y, x: d * sigmoid(-x)))
def log_sigmoid(x: Any) -> Any:
    """Logarithm of the logistic function, ``-log(1 + exp(-x))``.

    Parameters
    ----------
    x : array
        Real floating point numbers of any shape.

    Returns
    -------
    array
        Numbers up to 0; the shape and dtype of `x`. Nothing overflows on the way, and the result
        stays accurate where ``sigmoid(x)`` is rounded to 0 or 1.

    Raises
    ------
    DTypeError
        If `x` holds no real floating point numbers.

    Examples
    --------
    >>> import numpy as np
    >>> import portanet as pn
    >>> print(pn.log_sigmoid(np.asarray([-1000.0, 0.0])))
    [-1.00000000e+03 -6.93147181e-01]
    """
    xp = array_namespace(x)
    return xp.minimum(x, 0.0) - xp.log1p(xp.exp(-xp.abs(x)))


@kernel(takes=checks.real_floating, rule=Elementwise(lambda xp, d, y, x: d * sigmoid(x)))
def softplus(x: Any) -> Any:
    """Smooth ramp, ``log(1 + exp(x))``.

    Parameters
    ----------
    x : array
        Real floating point numbers of any shape.

    Returns
    -------
    array
        Numbers from 0 up; the shape and dtype of `x`. Nothing overflows on the way.

    Raises
    ------
    DTypeError
        If `x` holds no real floating point numbers.

    References
    ----------
    .. [1] C. Dugas, Y. Bengio, F. Bélisle, C. Nadeau, R. Garcia, "Incorporating Second-Order
       Functional Knowledge for Better Option Pricing", NeurIPS 2000.

    Examples
    --------
    >>> import numpy as np
    >>> import portanet as pn
    >>> print(pn.softplus(np.asarray([-1000.0, 0.0, 1000.0])))
    [0.00000000e+00 6.93147181e-01 1.00000000e+03]
    """
    xp = array_namespace(x)
    return xp.maximum(x, 0.0) + xp.log1p(xp.exp(-xp.abs(x)))


@kernel(takes=checks.floating)
def tanh(x: Any) -> Any:
    """Hyperbolic tangent, ``(exp(x) - exp(-x)) / (exp(x) + exp(-x))``.

    Parameters
    ----------
    x : array
        Floating point numbers of any shape.

    Returns
    -------
    array
        Numbers from -1 to 1; the shape and dtype of `x`.

    Raises
    ------
    DTypeError
        If `x` holds no floating point numbers.

    Examples
    --------
    >>> import numpy as np
    >>> import portanet as pn
    >>> print(pn.tanh(np.asarray([-1.0, 0.0, 100.0])))
    [-0.76159416  0.          1.        ]
    """
    return array_namespace(x).tanh(x)


def _tanh_shrink_scale(xp: Any, d: Any, y: Any, x: Any) -> Any:
    t = xp.tanh(x)
    return d * (t * t)


@kernel(takes=checks.real_floating, rule=Elementwise(_tanh_shrink_scale))
def tanh_shrink(x: Any) -> Any:
    """Distance of `x` from its hyperbolic tangent, ``x - tanh(x)``.

    Parameters
    ----------
    x : array
        Real floating point numbers of any shape.

    Returns
    -------
    array
        The shape and dtype of `x`.

    Raises
    ------
    DTypeError
        If `x` holds no real floating point numbers.

    Examples
    --------
    >>> import numpy as np
    >>> import portanet as pn
    >>> print(pn.tanh_shrink(np.asarray([-1.0, 0.0, 100.0])))
    [-0.23840584  0.         99.        ]
    """
    xp = array_namespace(x)
    near = xp.minimum(xp.abs(x), 1.0)
    square = near * near
    # The fraction of tanh [DLMF 4.39.1] without its first step, which the difference would cancel.
    rest = 0.0
    for odd in range(17, 3, -2):
        rest = square / (odd + rest)
    return xp.where(near < 1.0, x * (square / (3.0 + square + rest)), x - xp.tanh(x))


def _softsign_scale(xp: Any, d: Any, y: Any, x: Any) -> Any:
    r = 1.0 / (1.0 + xp.abs(x))
    return d * (r * r)


@kernel(takes=checks.real_floating, rule=Elementwise(_softsign_scale))
def softsign(x: Any) -> Any:
    """Sigmoid with polynomial tails, ``x / (1 + abs(x))``.

    Parameters
    ----------
    x : array
        Real floating point numbers of any shape.

    Returns
    -------
    array
        Numbers from -1 to 1; the shape and dtype of `x`.

    Raises
    ------
    DTypeError
        If `x` holds no real floating point numbers.

    References
    ----------
    .. [1] J. Bergstra, G. Desjardins, P. Lamblin, Y. Bengio, "Quadratic Polynomials Learn Better
       Image Features", Technical Report 1337, Université de Montréal, 2009.

    Examples
    --------
    >>> import numpy as np
    >>> import portanet as pn
    >>> print(pn.softsign(np.asarray([-1.0, 0.0, 3.0])))
    [-0.5   0.    0.75]
    """
    return x / (1.0 + array_namespace(x).abs(x))


@kernel(takes=checks.real_floating, rule=Elementwise(lambda xp, d, y, x: d * xp.tanh(x)))
def log_cosh(x: Any) -> Any:
    """Logarithm of the hyperbolic cosine, ``log((exp(x) + exp(-x)) / 2)``.

    Parameters
    ----------
    x : array
        Real floating point numbers of any shape.

    Returns
    -------
    array
        Numbers from 0 up; the shape and dtype of `x`. Nothing overflows on the way, and the
        relative accuracy is kept near 0, where the result is ``x**2 / 2``.

    Raises
    ------
    DTypeError
        If `x` holds no real floating point numbers.

    Examples
    --------
    >>> import numpy as np
    >>> import portanet as pn
    >>> print(pn.log_cosh(np.asarray([-1000.0, 0.0, 1e-9])))
    [9.99306853e+02 0.00000000e+00 5.00000000e-19]
    """
    xp = array_namespace(x)
    near = xp.abs(x) < 1.0
    half = xp.sinh(xp.where(near, x, 0.0) * 0.5)
    size = xp.where(near, 1.0, xp.abs(x))
    far = size + (xp.log1p(xp.exp(-2.0 * size)) - math.log(2.0))
    return xp.where(near, xp.log1p(2.0 * half * half), far)
