"""Windows as arrays, and their sum back into place."""

from __future__ import annotations

import math
from typing import Any

from portanet import checks
from portanet.errors import ShapeError
from portanet.functional.spatial.geometry import Padding, Sizes, geometry
from portanet.functional.spatial.patches import add_patches, patches_shape, window_patches
from portanet.interface import array_namespace


def unfold(
    x: Any, window: Sizes, *, stride: Sizes = 1, padding: Padding = 0, dilation: Sizes = 1
) -> Any:
    """The entries under each window, which others call im2col.

    Parameters
    ----------
    x : array, shape ``(N, *spatial, C)``
    window : int or one an axis
    stride, padding, dilation : as in `conv`

    Returns
    -------
    array, shape ``(N, *output, prod(window), C)``

    Examples
    --------
    >>> import numpy as np
    >>> from portanet import functional
    >>> x = np.reshape(np.arange(4.0), (1, 4, 1))
    >>> print(functional.unfold(x, 2)[0, :, :, 0])
    [[0. 1.]
     [1. 2.]
     [2. 3.]]
    """
    checks.images(x)
    shape = geometry(tuple(x.shape[1:-1]), window, stride, padding, dilation)
    patches = window_patches(x, shape=shape)
    size = (x.shape[0], *shape.output, math.prod(shape.window), x.shape[-1])
    return array_namespace(x).reshape(patches, size)


def fold(
    patches: Any,
    size: Sizes,
    window: Sizes,
    *,
    stride: Sizes = 1,
    padding: Padding = 0,
    dilation: Sizes = 1,
) -> Any:
    """Add windows up where they lie: the transpose of `unfold`.

    Parameters
    ----------
    patches : array, shape ``(N, *output, prod(window), C)``
    size : int or one an axis
        The spatial axes of the result.
    window, stride, padding, dilation : as in `unfold`

    Returns
    -------
    array, shape ``(N, *size, C)``

    Raises
    ------
    ShapeError
        If `patches` does not have the shape that `unfold` gives.

    Examples
    --------
    >>> import numpy as np
    >>> from portanet import functional
    >>> print(functional.fold(np.ones((1, 3, 2, 1)), 4, 2)[0, :, 0])
    [1. 2. 2. 1.]
    """
    rank = patches.ndim - 3
    if rank < 1:
        raise ShapeError(f"patches.ndim >= 4: {patches.ndim} < 4: see what unfold returns")
    sizes = (size,) * rank if isinstance(size, int) else tuple(size)
    shape = geometry(sizes, window, stride, padding, dilation)
    wanted = (*shape.output, math.prod(shape.window))
    if tuple(patches.shape[1:-1]) != wanted:
        raise ShapeError(
            f"patches.shape[1:-1] == (*output, prod(window)): {tuple(patches.shape[1:-1])} != "
            f"{wanted}"
        )
    rows = patches_shape(patches, shape)
    return add_patches(array_namespace(patches).reshape(patches, rows), shape=shape)
