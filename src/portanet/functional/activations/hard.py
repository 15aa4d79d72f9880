"""Piecewise polynomial activations, cheap stand-ins for smooth ones."""

from __future__ import annotations

from typing import Any

from portanet import checks
from portanet.functional.kernel import kernel
from portanet.interface import array_namespace
from portanet.tape.ops.batching import elementwise
from portanet.tape.rule import Elementwise, Explicit


def _between(xp: Any, d: Any, x: Any, low: float, high: float) -> Any:
    """Pass `d` on where ``low < x < high``; zero elsewhere."""
    return xp.where(x > low, xp.where(x < high, d, 0.0), 0.0)


@kernel(
    takes=checks.real_floating,
    rule=Elementwise(lambda xp, d, y, x: _between(xp, d / 6.0, x, -3.0, 3.0)),
)
def hard_sigmoid(x: Any) -> Any:
    """Piecewise linear sigmoid, ``(x + 3) / 6`` limited to 0 and 1.

    The derivative is 0 at the kinks, -3 and 3.

    Parameters
    ----------
    x : array
        Real floating point numbers of any shape.

    Returns
    -------
    array
        Numbers from 0 to 1; the shape and dtype of `x`.

    Raises
    ------
    DTypeError
        If `x` holds no real floating point numbers.

    References
    ----------
    .. [1] M. Courbariaux, Y. Bengio, J.-P. David, "BinaryConnect", NeurIPS 2015.

    Examples
    --------
    >>> import numpy as np
    >>> import portanet as pn
    >>> print(pn.hard_sigmoid(np.asarray([-4.0, 0.0, 1.5])))
    [0.   0.5  0.75]
    """
    xp = array_namespace(x)
    return xp.where(x <= -3.0, 0.0, xp.where(x >= 3.0, 1.0, x / 6.0 + 0.5))


@kernel(
    takes=checks.real_floating, rule=Elementwise(lambda xp, d, y, x: _between(xp, d, x, -1.0, 1.0))
)
def hard_tanh(x: Any) -> Any:
    """Piecewise linear tanh, `x` limited to -1 and 1.

    The derivative is 0 at the kinks, -1 and 1.

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
    .. [1] R. Collobert, "Large Scale Machine Learning", PhD thesis, Université Paris VI, 2004.

    Examples
    --------
    >>> import numpy as np
    >>> import portanet as pn
    >>> print(pn.hard_tanh(np.asarray([-2.0, 0.5, 2.0])))
    [-1.   0.5  1. ]
    """
    xp = array_namespace(x)
    return xp.where(x <= -1.0, -1.0, xp.where(x >= 1.0, 1.0, x))


def _hard_swish_scale(xp: Any, d: Any, y: Any, x: Any) -> Any:
    return xp.where(x <= -3.0, 0.0, xp.where(x >= 3.0, d, d * (x / 3.0 + 0.5)))


@kernel(takes=checks.real_floating, rule=Elementwise(_hard_swish_scale))
def hard_swish(x: Any) -> Any:
    """Piecewise quadratic likeness of `silu`, ``x * hard_sigmoid(x)``.

    The derivative at the kinks is that of the outer side: 0 at -3 and 1 at 3.

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
    .. [1] A. Howard et al., "Searching for MobileNetV3", ICCV 2019.

    Examples
    --------
    >>> import numpy as np
    >>> import portanet as pn
    >>> print(pn.hard_swish(np.asarray([-1.5, 0.0, 4.0])))
    [-0.375  0.     4.   ]
    """
    return x * hard_sigmoid(x)


def _soft_shrink_scale(xp: Any, d: Any, y: Any, x: Any, threshold: float = 0.5) -> Any:
    return xp.where(xp.abs(x) <= threshold, 0.0, d)


@kernel(
    takes=checks.real_floating,
    rule=Explicit(_soft_shrink_scale, _soft_shrink_scale, arity=None),
    batching=elementwise,
)
def soft_shrink(x: Any, threshold: float = 0.5) -> Any:
    """Shrinkage: `x` moved towards 0 by `threshold`, and 0 where it would cross.

    The derivative at the kinks is 0.

    Parameters
    ----------
    x : array
        Real floating point numbers of any shape.
    threshold : float, default 0.5
        How far to move.

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
    .. [1] D. L. Donoho, "De-noising by Soft-thresholding", IEEE Transactions on Information
       Theory 41 (1995).

    Examples
    --------
    >>> import numpy as np
    >>> import portanet as pn
    >>> print(pn.soft_shrink(np.asarray([-2.0, 0.25, 1.0])))
    [-1.5  0.   0.5]
    """
    xp = array_namespace(x)
    moved = xp.where(x > 0, x - threshold, x + threshold)
    return xp.where(xp.abs(x) <= threshold, 0.0, moved)
