"""Finite differences: derivatives that need nothing but values."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from portanet.testing import arguments
from portanet.testing.compare import to_numpy

STEP = 2.0**-10


def slope(function: Callable[[float], Sequence[Any]], step: float = STEP) -> list[np.ndarray]:
    r"""Return the derivative at 0 of a function of one number, to the fourth order in `step`.

    .. math:: f'(0) \approx \frac{f(-2h) - 8 f(-h) + 8 f(h) - f(2h)}{12 h}

    Parameters
    ----------
    function : callable
        Takes a float, returns a sequence of arrays of any library, in float64 for an error of
        about 1e-11 of the size of the fifth derivative.
    step : float
        The distance h.

    Returns
    -------
    list of numpy.ndarray

    Examples
    --------
    >>> import numpy as np
    >>> from portanet.testing import slope
    >>> (cosine,) = slope(lambda t: [np.sin(1.0 + t)])
    >>> bool(abs(cosine - np.cos(1.0)) < 1e-10)
    True
    """
    arguments.check_function("function", function)
    arguments.check_numbers(step=step)
    if not step:
        arguments.refuse("step != 0", step)
    rows = [[to_numpy(y) for y in function(k * step)] for k in (-2.0, -1.0, 1.0, 2.0)]
    return [(a - 8 * b + 8 * c - d) / (12 * step) for a, b, c, d in zip(*rows, strict=True)]
