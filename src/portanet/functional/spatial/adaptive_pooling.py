"""Pooling to a given size, and over everything: bins as even as they can be."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from portanet import checks
from portanet.errors import ShapeError
from portanet.functional.gradient import stop_gradient
from portanet.functional.half import in_float32
from portanet.functional.spatial.geometry import Geometry, Sizes, each_axis, geometry
from portanet.functional.spatial.pooling import root_of_sum
from portanet.functional.spatial.windows import window_max, window_sum
from portanet.interface import array_namespace


def adaptive_max_pool(x: Any, size: Sizes) -> Any:
    """Largest entry of each of `size` bins along each axis.

    Parameters
    ----------
    x : array, shape ``(N, *spatial, C)``
    size : int or one an axis
        Bin `i` of an axis with `n` entries goes from ``i n / size``, rounded down, to
        ``(i + 1) n / size``, rounded up: where `size` does not divide `n` they overlap.

    Returns
    -------
    array, shape ``(N, *size, C)``
        Where several entries are largest, the first one has the derivative.

    Examples
    --------
    >>> import numpy as np
    >>> from portanet import functional
    >>> x = np.reshape(np.asarray([3.0, 1.0, 2.0, 5.0, 4.0]), (1, 5, 1))
    >>> print(functional.adaptive_max_pool(x, 2)[0, :, 0])
    [3. 5.]
    """
    return _binned(x, _checked(x, size), lambda x, shape: window_max(x, shape=shape), _first_max)


@in_float32
def adaptive_mean_pool(x: Any, size: Sizes) -> Any:
    """Mean of each of `size` bins along each axis.

    Parameters
    ----------
    x : array, shape ``(N, *spatial, C)``
    size : int or one an axis
        See `adaptive_max_pool`.

    Returns
    -------
    array, shape ``(N, *size, C)``

    Examples
    --------
    >>> import numpy as np
    >>> from portanet import functional
    >>> x = np.reshape(np.asarray([3.0, 1.0, 2.0, 5.0, 4.0]), (1, 5, 1))
    >>> print(functional.adaptive_mean_pool(x, 2)[0, :, 0])
    [2.         3.66666667]
    """

    def mean(x: Any, shape: Geometry) -> Any:
        return window_sum(x, shape=shape) / math.prod(shape.window)

    xp = array_namespace(x)
    return _binned(x, _checked(x, size), mean, xp.mean)


@in_float32
def adaptive_lp_pool(x: Any, size: Sizes, *, p: float = 2.0) -> Any:
    """The p-norm of each of `size` bins along each axis, ``(Σ |x|^p)^(1/p)``.

    Parameters
    ----------
    x : array, shape ``(N, *spatial, C)``
        Real floating point numbers.
    size : int or one an axis
        See `adaptive_max_pool`.
    p : float, default 2
        At least 1.

    Returns
    -------
    array, shape ``(N, *size, C)``
        The derivative of a bin of zeros is zero.

    Examples
    --------
    >>> import numpy as np
    >>> from portanet import functional
    >>> x = np.reshape(np.asarray([3.0, -4.0, 0.0, 5.0]), (1, 4, 1))
    >>> print(functional.adaptive_lp_pool(x, 2)[0, :, 0])
    [5. 5.]
    """
    xp, sizes = array_namespace(x), _checked(x, size)

    def total(powers: Any) -> Any:
        return _binned(powers, sizes, lambda x, shape: window_sum(x, shape=shape), xp.sum)

    return root_of_sum(x, p, total)


def _checked(x: Any, size: Sizes) -> tuple[int, ...]:
    checks.images(x)
    for axis, n in enumerate(x.shape[1:-1], start=1):
        if not n:
            raise ShapeError(f"x.shape[{axis}] >= 1: 0 < 1: there is nothing to pool")
    return each_axis("size", size, x.ndim - 2)


def _first_max(x: Any, *, axis: int, keepdims: bool) -> Any:
    """The largest entries along an axis, of which the first one has the derivative."""
    xp = array_namespace(x)
    places = xp.argmax(stop_gradient(x), axis=axis, keepdims=keepdims)
    return xp.take_along_axis(x, places, axis=axis)


def _binned(
    x: Any,
    sizes: tuple[int, ...],
    pool: Callable[[Any, Geometry], Any],
    reduce: Callable[..., Any],
) -> Any:
    """Pool the bins of one axis after the other, or everything at once by `reduce`.

    The last axis first: that leaves the first of several largest entries the first.
    """
    xp, rank = array_namespace(x), len(sizes)
    if max(sizes) == 1:
        flat = xp.reshape(x, (x.shape[0], math.prod(x.shape[1:-1]), x.shape[-1]))
        return xp.reshape(reduce(flat, axis=1, keepdims=True), (x.shape[0], *sizes, x.shape[-1]))
    for axis in range(rank, 0, -1):
        n, size = x.shape[axis], sizes[axis - 1]
        if n % size == 0:
            x = pool(x, _along(x, axis, n // size))
            continue
        before = (slice(None),) * axis
        bins = [(i * n // size, -(-(i + 1) * n // size)) for i in range(size)]
        parts = [x[(*before, slice(start, stop), ...)] for start, stop in bins]
        x = xp.concat(
            [pool(part, _along(part, axis, part.shape[axis])) for part in parts], axis=axis
        )
    return x


def _along(x: Any, axis: int, width: int) -> Geometry:
    """Windows along one axis that touch."""
    window = tuple(width if a == axis else 1 for a in range(1, x.ndim - 1))
    return geometry(tuple(x.shape[1:-1]), window, None, 0, 1)
