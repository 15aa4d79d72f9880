"""Exponential linear units: a line on the positive side, a saturating exponential below."""

from __future__ import annotations

from typing import Any

from portanet import checks
from portanet.functional.kernel import kernel
from portanet.interface import array_namespace
from portanet.tape.ops.batching import elementwise
from portanet.tape.rule import Elementwise, Explicit

_SELU_SCALE = 1.0507009873554805
_SELU_ALPHA = 1.6732632423543772


def _curve(xp: Any, x: Any) -> Any:
    """``exp(x)`` on the negative side, 1 on the positive one."""
    return xp.exp(xp.minimum(x, 0.0))


def _elu_scale(xp: Any, d: Any, y: Any, x: Any, alpha: float = 1.0) -> Any:
    above = xp.astype(x > 0, d.dtype)
    return d * (above + (1.0 - above) * (alpha * _curve(xp, x)))


@kernel(
    takes=checks.real_floating,
    rule=Explicit(_elu_scale, _elu_scale, arity=None),
    batching=elementwise,
)
def elu(x: Any, alpha: float = 1.0) -> Any:
    """Exponential linear unit: `x` where it is positive, else ``alpha * (exp(x) - 1)``.

    The derivative at 0 is `alpha`.

    Parameters
    ----------
    x : array
        Real floating point numbers of any shape.
    alpha : float, default 1.0
        Minus the limit on the negative side.

    Returns
    -------
    array
        The shape and dtype of `x`.

    Raises
    ------
    DTypeError
        If `x` holds no real floating point numbers.

    References
    ----------
    .. [1] D.-A. Clevert, T. Unterthiner, S. Hochreiter, "Fast and Accurate Deep Network Learning
       by Exponential Linear Units (ELUs)", ICLR 2016.

    Examples
    --------
    >>> import numpy as np
    >>> import portanet as pn
    >>> print(pn.elu(np.asarray([-1.0, 0.0, 2.0])))
    [-0.63212056  0.          2.        ]
    """
    xp = array_namespace(x)
    return xp.maximum(x, 0.0) + alpha * xp.expm1(xp.minimum(x, 0.0))


def _celu_scale(xp: Any, d: Any, y: Any, x: Any, alpha: float = 1.0) -> Any:
    return d * _curve(xp, x / alpha)


@kernel(
    takes=checks.real_floating,
    rule=Explicit(_celu_scale, _celu_scale, arity=None),
    batching=elementwise,
)
def celu(x: Any, alpha: float = 1.0) -> Any:
    """Exponential linear unit without a kink: ``alpha * (exp(x / alpha) - 1)`` below 0.

    Parameters
    ----------
    x : array
        Real floating point numbers of any shape.
    alpha : float, default 1.0
        Minus the limit on the negative side.

    Returns
    -------
    array
        The shape and dtype of `x`.

    Raises
    ------
    DTypeError
        If `x` holds no real floating point numbers.

    References
    ----------
    .. [1] J. T. Barron, "Continuously Differentiable Exponential Linear Units",
       arXiv:1704.07483.

    Examples
    --------
    >>> import numpy as np
    >>> import portanet as pn
    >>> print(pn.celu(np.asarray([-1.0, 0.0, 2.0]), 2.0))
    [-0.78693868  0.          2.        ]
    """
    xp = array_namespace(x)
    return xp.maximum(x, 0.0) + alpha * xp.expm1(xp.minimum(x, 0.0) / alpha)


def _selu_scale(xp: Any, d: Any, y: Any, x: Any) -> Any:
    return _SELU_SCALE * _elu_scale(xp, d, y, x, _SELU_ALPHA)


@kernel(takes=checks.real_floating, rule=Elementwise(_selu_scale))
def selu(x: Any) -> Any:
    """Self-normalising unit, ``scale * elu(x, alpha)``.

    Here ``scale = 1.0507009873554805`` and ``alpha = 1.6732632423543772``: unit variance is a
    fixed point. The derivative at 0 is ``scale * alpha``.

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

    References
    ----------
    .. [1] G. Klambauer, T. Unterthiner, A. Mayr, S. Hochreiter, "Self-Normalizing Neural
       Networks", NeurIPS 2017.

    Examples
    --------
    >>> import numpy as np
    >>> import portanet as pn
    >>> print(pn.selu(np.asarray([-1.0, 0.0, 1.0])))
    [-1.11133074  0.          1.05070099]
    """
    xp = array_namespace(x)
    return _SELU_SCALE * (xp.maximum(x, 0.0) + _SELU_ALPHA * xp.expm1(xp.minimum(x, 0.0)))
