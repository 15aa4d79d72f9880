"""How alike two vectors are."""

from __future__ import annotations

from typing import Any

from portanet.functional.half import in_float32
from portanet.interface import array_namespace


@in_float32
def cosine_similarity(x: Any, y: Any, *, axis: int = -1, epsilon: float = 1e-8) -> Any:
    """Cosine of the angle between vectors, ``x · y / (‖x‖ ‖y‖)``.

    Parameters
    ----------
    x, y : array
        Real floating point numbers of shapes that broadcast against each other.
    axis : int, default -1
        The axis of the vectors.
    epsilon : float, default 1e-8
        The least norm by which a vector is divided, above 0: so a vector of zeros has similarity 0
        with every other, and finite derivatives.

    Returns
    -------
    array
        Numbers from -1 to 1, without the axis of the vectors.

    Examples
    --------
    >>> import numpy as np
    >>> from portanet import functional
    >>> functional.cosine_similarity(np.asarray([3.0, 4.0]), np.asarray([[0.0, 2.0], [0.0, 0.0]]))
    array([0.8, 0. ])
    """
    xp = array_namespace(x, y)
    x, y = _unit(xp, x, axis, epsilon), _unit(xp, y, axis, epsilon)
    return xp.sum(x * y, axis=axis)


def _unit(xp: Any, x: Any, axis: int, epsilon: float) -> Any:
    square = xp.sum(x * x, axis=axis, keepdims=True)
    tiny = max(epsilon * epsilon, float(xp.finfo(x.dtype).smallest_normal))
    return x / xp.sqrt(xp.maximum(square, tiny))
