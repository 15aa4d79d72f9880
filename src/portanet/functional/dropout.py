"""Dropping entries at random."""

from __future__ import annotations

import math
from typing import Any

from portanet import random
from portanet.interface import array_namespace

_SELU_LIMIT = -1.7580993408473766  # of `selu` at minus infinity


def dropout(x: Any, p: float, key: random.Key, *, axes: tuple[int, ...] | None = None) -> Any:
    """Set entries of `x` to zero with probability `p` and divide the others by ``1 - p``.

    Parameters
    ----------
    x : array, floating
    p : float
        Between 0 and 1.
    key : portanet.random.Key
        Decides which entries; a constant for every derivative.
    axes : tuple of int, optional
        The axes along which the mask varies; along the others entries are dropped together. By
        default it varies along all.

    Returns
    -------
    array
        Of the shape and dtype of `x`, with the same expectation.

    Examples
    --------
    >>> import numpy as np
    >>> import portanet as pn
    >>> y = pn.functional.dropout(np.ones((4, 1000), np.float32), 0.5, pn.random.key(0))
    >>> np.unique(y)
    array([0., 2.], dtype=float32)
    """
    xp = array_namespace(x)
    shape = x.shape
    if axes is not None:
        varying = {axis % len(shape) for axis in axes}
        shape = tuple(n if axis in varying else 1 for axis, n in enumerate(shape))
    kept = random.bernoulli(key, 1 - p, shape, like=x)
    return x * (xp.astype(kept, x.dtype) * (1 / (1 - p) if p < 1 else 0.0))


def alpha_dropout(x: Any, p: float, key: random.Key) -> Any:
    """Set entries of `x` to the limit of `selu` with probability `p`, and keep the moments.

    ``a * (x * mask + alpha * (1 - mask)) + b`` with ``alpha = -1.7580993408473766``,
    ``a = 1 / sqrt((1 - p) * (1 + p * alpha**2))`` and ``b = -a * alpha * p``: numbers with mean 0
    and variance 1 stay so [1]_.

    Parameters
    ----------
    x : array, floating
    p : float
        Between 0 and 1. With 1 the result is zero.
    key : portanet.random.Key
        Decides which entries; a constant for every derivative.

    Returns
    -------
    array
        Of the shape and dtype of `x`.

    References
    ----------
    .. [1] G. Klambauer, T. Unterthiner, A. Mayr, S. Hochreiter, "Self-Normalizing Neural
       Networks", NeurIPS 2017.

    Examples
    --------
    >>> import numpy as np
    >>> import portanet as pn
    >>> y = pn.functional.alpha_dropout(np.zeros(1000), 0.5, pn.random.key(0))
    >>> np.unique(y).round(4)
    array([-0.7792,  0.7792])
    """
    xp = array_namespace(x)
    if p == 1:
        return x * 0.0
    a = 1 / math.sqrt((1 - p) * (1 + p * _SELU_LIMIT**2))
    kept = xp.astype(random.bernoulli(key, 1 - p, x.shape, like=x), x.dtype)
    return x * (a * kept) + (a * _SELU_LIMIT * (1 - p) - a * _SELU_LIMIT * kept)
