"""Pooling over windows, channels last: ``(N, *spatial, C)``."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

from portanet import checks
from portanet.errors import HyperparameterError, shown
from portanet.functional.half import in_float32
from portanet.functional.spatial.geometry import Geometry, Padding, Sizes, geometry
from portanet.functional.spatial.windows import window_max, window_sum
from portanet.interface import array_namespace, device_of


def max_pool(
    x: Any,
    window: Sizes,
    *,
    stride: Sizes | None = None,
    padding: Padding = 0,
    dilation: Sizes = 1,
    ceil_mode: bool = False,
) -> Any:
    """Largest entry of each window.

    Parameters
    ----------
    x : array, shape ``(N, *spatial, C)``
    window : int or one an axis
    stride : int or one an axis, optional
        By default the window's size: windows that touch.
    padding, dilation : as in `conv`
        What is padded never is the largest.
    ceil_mode : bool, default False
        Whether a last window counts that begins in the input, or in the padding before it, and
        reaches over its end: the sizes are then rounded up.

    Returns
    -------
    array, shape ``(N, *output, C)``
        Where several entries are largest, the first one has the derivative.

    Examples
    --------
    >>> import numpy as np
    >>> from portanet import functional
    >>> x = np.reshape(np.asarray([3.0, 1.0, 2.0, 5.0]), (1, 4, 1))
    >>> print(functional.max_pool(x, 2)[0, :, 0])
    [3. 5.]
    """
    return window_max(x, shape=_pooled(x, window, stride, padding, dilation, ceil_mode))


@in_float32
def mean_pool(
    x: Any,
    window: Sizes,
    *,
    stride: Sizes | None = None,
    padding: Padding = 0,
    dilation: Sizes = 1,
    ceil_mode: bool = False,
    count_padding: bool = True,
) -> Any:
    """Mean of each window.

    Parameters
    ----------
    x : array, shape ``(N, *spatial, C)``
    window, stride, padding, dilation, ceil_mode : as in `max_pool`
        The mean of a window that reaches over the end is that of the entries it has.
    count_padding : bool, default True
        Whether padded zeros count as entries.

    Returns
    -------
    array, shape ``(N, *output, C)``

    Examples
    --------
    >>> import numpy as np
    >>> from portanet import functional
    >>> x = np.reshape(np.asarray([3.0, 1.0, 2.0, 5.0]), (1, 4, 1))
    >>> print(functional.mean_pool(x, 2)[0, :, 0])
    [2.  3.5]
    """
    given = _pooled(x, window, stride, padding, dilation)
    shape = _rounded_up(given) if ceil_mode else given
    total = window_sum(x, shape=shape)
    whole = given.padded if count_padding else given.spatial
    if shape.padded == whole:
        return total / math.prod(shape.window)
    xp = array_namespace(x)
    ones = xp.ones((1, *whole, 1), dtype=x.dtype, device=device_of(x))
    return total / window_sum(ones, shape=_around(shape, given, whole))


@in_float32
def lp_pool(
    x: Any,
    window: Sizes,
    *,
    p: float = 2.0,
    stride: Sizes | None = None,
    padding: Padding = 0,
    dilation: Sizes = 1,
    ceil_mode: bool = False,
) -> Any:
    """The p-norm of each window, ``(Σ |x|^p)^(1/p)``.

    Parameters
    ----------
    x : array, shape ``(N, *spatial, C)``
        Real floating point numbers.
    window, stride, padding, dilation, ceil_mode : as in `max_pool`
        Padded zeros count as entries.
    p : float, default 2
        At least 1.

    Returns
    -------
    array, shape ``(N, *output, C)``
        The derivative of a window of zeros is zero.

    References
    ----------
    .. [1] P. Sermanet, S. Chintala, Y. LeCun, "Convolutional Neural Networks Applied to House
       Numbers Digit Classification", ICPR 2012.

    Examples
    --------
    >>> import numpy as np
    >>> from portanet import functional
    >>> x = np.reshape(np.asarray([3.0, -4.0, 0.0, 5.0]), (1, 4, 1))
    >>> print(functional.lp_pool(x, 2)[0, :, 0])
    [5. 5.]
    """
    shape = _pooled(x, window, stride, padding, dilation, ceil_mode)
    return root_of_sum(x, p, lambda powers: window_sum(powers, shape=shape))


def root_of_sum(x: Any, p: float, total: Any) -> Any:
    """The p-norm of the entries that `total` adds up, with the derivative 0 where all are 0."""
    if not p >= 1 or math.isinf(p):
        raise HyperparameterError(f"1 <= p < inf: got {shown(p)}")
    xp = array_namespace(x)
    if p == 1:
        return total(xp.abs(x))
    powers = total(x * x if p == 2 else xp.abs(x) ** p)
    empty = powers == 0
    powers = xp.where(empty, 1.0, powers)
    return xp.where(empty, 0.0, xp.sqrt(powers) if p == 2 else powers ** (1 / p))


def _pooled(
    x: Any,
    window: Sizes,
    stride: Sizes | None,
    padding: Padding,
    dilation: Sizes,
    ceil_mode: bool = False,
) -> Geometry:
    checks.images(x)
    shape = geometry(tuple(x.shape[1:-1]), window, stride, padding, dilation)
    for (before, after), extent in zip(shape.padding, shape.extent, strict=True):
        if max(before, after) >= extent:
            raise HyperparameterError(
                f"padding < the window's extent: {max(before, after)} >= {extent}"
            )
    return _rounded_up(shape) if ceil_mode else shape


def _rounded_up(shape: Geometry) -> Geometry:
    """Return the windows of `shape` and those that begin inside and reach over the end."""
    padding = []
    axes = zip(shape.spatial, shape.padding, shape.extent, shape.stride, strict=True)
    for n, (before, after), extent, step in axes:
        count = -(-(before + n + after - extent) // step) + 1
        if (count - 1) * step >= before + n:
            count -= 1
        padding.append((before, max(after, (count - 1) * step + extent - before - n)))
    return replace(shape, padding=tuple(padding))


def _around(shape: Geometry, given: Geometry, whole: tuple[int, ...]) -> Geometry:
    """Return the windows of `shape` over what counts: the input, or it with its own padding."""
    if whole == given.spatial:
        return shape
    surplus = tuple((0, n - m) for n, m in zip(shape.padded, whole, strict=True))
    return replace(shape, spatial=whole, padding=surplus)
