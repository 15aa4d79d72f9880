"""The maths of the commonest loss, recorded as one operation for the sake of small models."""

from __future__ import annotations

from typing import Any

from portanet.backends import array_namespace
from portanet.functional._kernel import kernel
from portanet.tape.rule import Explicit

__all__ = ["mean_square"]


def _mean_square_vjp(xp: Any, g: Any, y: Any, x: Any) -> Any:
    return x * (g * (2.0 / x.size))


def _mean_square_jvp(xp: Any, d: Any, y: Any, x: Any) -> Any:
    return xp.sum(d * x) * (2.0 / x.size)


@kernel(rule=Explicit(_mean_square_vjp, _mean_square_jvp))
def mean_square(x: Any) -> Any:
    """Mean of the squares of all entries.

    Parameters
    ----------
    x : array
        Real floating point numbers of any shape.

    Returns
    -------
    array
        One number, in an array without axes, of the dtype of `x`.

    Examples
    --------
    >>> import numpy as np
    >>> from portanet.functional import mean_square
    >>> float(mean_square(np.asarray([1.0, 3.0])))
    5.0
    """
    return array_namespace(x).mean(x * x)
