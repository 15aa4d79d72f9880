"""Dropping entries at random."""

from __future__ import annotations

from typing import Any

from portanet import random
from portanet.backends import array_namespace


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
