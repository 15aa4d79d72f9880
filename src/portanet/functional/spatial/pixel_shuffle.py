"""Moving channels into space and back."""

from __future__ import annotations

import math
from typing import Any

from portanet import checks
from portanet.errors import ShapeError
from portanet.functional.spatial.geometry import Sizes, each_axis
from portanet.interface import array_namespace


def pixel_shuffle(x: Any, factor: Sizes) -> Any:
    """Move groups of channels into space: sub-pixel resampling.

    Parameters
    ----------
    x : array, shape ``(N, *spatial, C * prod(factor))``
        The channels that become one block of pixels lie side by side, its last axis fastest.
    factor : int or one an axis
        How many times larger each spatial axis becomes.

    Returns
    -------
    array, shape ``(N, *(spatial * factor), C)``

    References
    ----------
    .. [1] W. Shi et al., "Real-Time Single Image and Video Super-Resolution Using an Efficient
       Sub-Pixel Convolutional Neural Network", CVPR 2016.

    Examples
    --------
    >>> import numpy as np
    >>> from portanet import functional
    >>> x = np.reshape(np.arange(4.0), (1, 1, 1, 4))
    >>> print(functional.pixel_shuffle(x, 2)[0, :, :, 0])
    [[0. 1.]
     [2. 3.]]
    """
    rank, factors = _factors(x, factor)
    xp, spatial = array_namespace(x), x.shape[1:-1]
    count = math.prod(factors)
    if x.shape[-1] % count:
        raise ShapeError(f"x.shape[-1] % prod(factor) == 0: {x.shape[-1]} % {count} != 0")
    channels = x.shape[-1] // count
    x = xp.reshape(x, (x.shape[0], *spatial, channels, *factors))
    pairs = [axis for i in range(rank) for axis in (1 + i, rank + 2 + i)]
    x = xp.permute_dims(x, (0, *pairs, rank + 1))
    sizes = (n * f for n, f in zip(spatial, factors, strict=True))
    return xp.reshape(x, (x.shape[0], *sizes, channels))


def pixel_unshuffle(x: Any, factor: Sizes) -> Any:
    """Move blocks of pixels into channels: the inverse of `pixel_shuffle`.

    Parameters
    ----------
    x : array, shape ``(N, *spatial, C)``
    factor : int or one an axis
        How many times smaller each spatial axis becomes; it divides it.

    Returns
    -------
    array, shape ``(N, *(spatial / factor), C * prod(factor))``

    Examples
    --------
    >>> import numpy as np
    >>> from portanet import functional
    >>> x = np.reshape(np.arange(4.0), (1, 2, 2, 1))
    >>> print(functional.pixel_unshuffle(x, 2)[0, 0, 0])
    [0. 1. 2. 3.]
    """
    rank, factors = _factors(x, factor)
    xp, spatial = array_namespace(x), x.shape[1:-1]
    for axis, (n, f) in enumerate(zip(spatial, factors, strict=True), start=1):
        if n % f:
            raise ShapeError(f"x.shape[{axis}] % factor == 0: {n} % {f} != 0")
    sizes = tuple(n // f for n, f in zip(spatial, factors, strict=True))
    split = [n for pair in zip(sizes, factors, strict=True) for n in pair]
    x = xp.reshape(x, (x.shape[0], *split, x.shape[-1]))
    outer, inner = (tuple(range(first, 2 * rank + 1, 2)) for first in (1, 2))
    x = xp.permute_dims(x, (0, *outer, 2 * rank + 1, *inner))
    return xp.reshape(x, (x.shape[0], *sizes, x.shape[-rank - 1] * math.prod(factors)))


def _factors(x: Any, factor: Sizes) -> tuple[int, tuple[int, ...]]:
    checks.images(x)
    return x.ndim - 2, each_axis("factor", factor, x.ndim - 2)
