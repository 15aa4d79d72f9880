"""Roots and powers that the standard lacks."""

from __future__ import annotations

import math
from typing import Any

from portanet import checks
from portanet.functional.half import widened
from portanet.functional.kernel import kernel
from portanet.interface import array_namespace
from portanet.tape.rule import Elementwise

__all__ = ["cbrt", "exp2"]


def cbrt(x: Any) -> Any:
    """Cube root, the real number whose third power is `x`.

    Parameters
    ----------
    x : array
        Real floating point numbers of any shape, also negative ones.

    Returns
    -------
    array
        The shape and dtype of `x`, and the signs of its entries. The error is about one unit of
        the last place.

    Raises
    ------
    DTypeError
        If `x` holds no real floating point numbers.

    Notes
    -----
    The derivative is ``1 / (3 cbrt(x)²)``, infinite at 0.

    Examples
    --------
    >>> import numpy as np
    >>> from portanet import functional
    >>> print(functional.cbrt(np.asarray([-8.0, 0.0, 27.0])))
    [-2.  0.  3.]
    """
    checks.real_floating("x", x)
    return cube_root(x)


@kernel(rule=Elementwise(lambda xp, d, y, x: d / (3.0 * (y * y))), numpy="cbrt", words="cbrt({0})")
def cube_root(x: Any) -> Any:
    """Compute `cbrt`: a power, which is not quite that of a third, and one step of Newton's."""
    xp = array_namespace(x)
    wide = widened(x)
    sign = xp.where(xp.signbit(wide), -xp.ones_like(wide), xp.ones_like(wide))
    y = sign * (sign * wide) ** (1.0 / 3.0)
    whole = xp.logical_or(wide == 0.0, xp.logical_not(xp.isfinite(wide)))
    z = xp.where(whole, 1.0, y)
    y = y - (z - xp.where(whole, 1.0, wide) / (z * z)) / 3.0
    return xp.astype(y, x.dtype, copy=False)


def exp2(x: Any) -> Any:
    """Two to the power `x`.

    Parameters
    ----------
    x : array
        Real floating point numbers of any shape.

    Returns
    -------
    array
        The shape and dtype of `x`. Whole numbers have exact results.

    Raises
    ------
    DTypeError
        If `x` holds no real floating point numbers.

    Examples
    --------
    >>> import numpy as np
    >>> from portanet import functional
    >>> print(functional.exp2(np.asarray([-1.0, 0.5, 10.0])))
    [5.00000000e-01 1.41421356e+00 1.02400000e+03]
    """
    checks.real_floating("x", x)
    return power_of_two(x)


@kernel(
    rule=Elementwise(lambda xp, d, y, x: d * (y * math.log(2.0))),
    numpy="exp2",
    words="exp2({0})",
)
def power_of_two(x: Any) -> Any:
    """Compute `exp2`."""
    return 2.0**x
