"""Positions in a sequence, told to a network by rotations."""

from __future__ import annotations

from typing import Any

from portanet.functional.half import in_float32
from portanet.functional.kernel import kernel
from portanet.interface import array_namespace, device_of


def rotary_tables(positions: Any, features: int, *, base: float = 10000.0) -> tuple[Any, Any]:
    """Return the cosines and sines by which `rotary_embedding` rotates.

    The angle of position ``p`` and pair ``i`` is ``p * base**(-2 * i / features)``.

    Parameters
    ----------
    positions : array, real floating
        Any shape.
    features : int
        The features of a head, an even number.
    base : float
        The larger it is, the longer the longest wave.

    Returns
    -------
    cos, sin : array, shape ``(*positions.shape, features // 2)``

    Examples
    --------
    >>> import numpy as np
    >>> from portanet import functional
    >>> cos, sin = functional.rotary_tables(np.arange(4.0), 2)
    >>> print(sin[:, 0])
    [0.         0.84147098 0.90929743 0.14112001]
    """
    xp = array_namespace(positions)
    pairs = xp.arange(features // 2, dtype=positions.dtype, device=device_of(positions))
    frequencies = xp.pow(xp.full_like(pairs, base), pairs * (-2.0 / features))
    angles = positions[..., None] * frequencies
    return xp.cos(angles), xp.sin(angles)


@in_float32
@kernel
def rotary_embedding(x: Any, cos: Any, sin: Any, /, *, interleaved: bool = False) -> Any:
    """Rotate pairs of features by angles that depend on their position [1]_.

    The product of two rotated vectors depends on the distance of their positions alone.

    Parameters
    ----------
    x : array, shape (..., L, heads, features)
        Queries or keys.
    cos, sin : array, shape (L, features // 2), or (..., L, features // 2)
        From `rotary_tables`, for the position of each entry.
    interleaved : bool
        Whether feature ``2 * i`` forms a pair with ``2 * i + 1``, as in the paper; by default
        feature ``i`` with ``i + features // 2``, as in Lux, Llama and Qwen.

    Returns
    -------
    array
        Of the shape of `x`.

    References
    ----------
    .. [1] Su et al., "RoFormer: Enhanced Transformer with Rotary Position Embedding",
       arXiv:2104.09864, 2021.

    Examples
    --------
    >>> import numpy as np
    >>> from portanet import functional
    >>> tables = functional.rotary_tables(np.asarray([0.0, np.pi / 2]), 2)
    >>> x = np.asarray([1.0, 0.0]).reshape(1, 1, 2) * np.ones((2, 1, 1))
    >>> print(np.round(functional.rotary_embedding(x, *tables)[:, 0, :], 3))
    [[1. 0.]
     [0. 1.]]
    """
    xp = array_namespace(x, cos, sin)
    cos, sin = xp.expand_dims(cos, axis=-2), xp.expand_dims(sin, axis=-2)
    half = x.shape[-1] // 2
    if interleaved:
        first, second = x[..., 0::2], x[..., 1::2]
    else:
        first, second = x[..., :half], x[..., half:]
    turned = first * cos - second * sin, second * cos + first * sin
    if interleaved:
        return xp.reshape(xp.stack(turned, axis=-1), x.shape)
    return xp.concat(turned, axis=-1)
