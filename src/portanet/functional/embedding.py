"""Looking rows up in a table."""

from __future__ import annotations

from typing import Any

from portanet.backends import array_namespace
from portanet.functional.kernel import kernel


@kernel
def embedding(indices: Any, weight: Any, /) -> Any:
    """Return the rows of `weight` at `indices`.

    Parameters
    ----------
    indices : array of int, any shape
        Row numbers, from 0 to ``weight.shape[0] - 1``; others are undefined.
    weight : array, shape (vocabulary, features)

    Returns
    -------
    array, shape ``(*indices.shape, features)``

    Examples
    --------
    >>> import numpy as np
    >>> from portanet import functional
    >>> table = np.asarray([[0.0, 0.5], [1.0, 1.5]])
    >>> functional.embedding(np.asarray([1, 1, 0]), table)
    array([[1. , 1.5],
           [1. , 1.5],
           [0. , 0.5]])
    """
    xp = array_namespace(indices, weight)
    rows = xp.take(weight, xp.reshape(indices, (-1,)), axis=0)
    return xp.reshape(rows, (*indices.shape, weight.shape[1]))
