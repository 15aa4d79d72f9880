"""Pooling over windows, channels last: ``(N, *spatial, C)``."""

from __future__ import annotations

import math
from typing import Any

from array_api_compat import device

from portanet.backends import array_namespace
from portanet.errors import HyperparameterError, ShapeError
from portanet.functional.geometry import Geometry, Padding, Sizes, geometry, padded_input

__all__ = ["max_pool", "mean_pool"]


def max_pool(
    x: Any,
    window: Sizes,
    *,
    stride: Sizes | None = None,
    padding: Padding = 0,
    dilation: Sizes = 1,
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

    Returns
    -------
    array, shape ``(N, *output, C)``
        Where several entries are largest, the first one has the derivative.
    """
    shape = _pooled(x, window, stride, padding, dilation)
    xp = array_namespace(x)
    padded = padded_input(x, shape, -math.inf)
    parts = [padded[(slice(None), *place, slice(None))] for place in shape.offsets()]
    best = parts[0]
    for part in parts[1:]:
        best = xp.where(xp.logical_or(part > best, xp.isnan(part)), part, best)
    return best


def mean_pool(
    x: Any,
    window: Sizes,
    *,
    stride: Sizes | None = None,
    padding: Padding = 0,
    dilation: Sizes = 1,
    count_padding: bool = True,
) -> Any:
    """Mean of each window.

    Parameters
    ----------
    x : array, shape ``(N, *spatial, C)``
    window, stride, padding, dilation : as in `max_pool`
    count_padding : bool, default True
        Whether padded zeros count as entries.

    Returns
    -------
    array, shape ``(N, *output, C)``
    """
    shape = _pooled(x, window, stride, padding, dilation)
    xp = array_namespace(x)
    total = _window_sum(x, shape)
    if count_padding or not any(map(any, shape.padding)):
        return total / math.prod(shape.window)
    ones = xp.ones((1, *shape.spatial, 1), dtype=x.dtype, device=device(x))
    return total / _window_sum(ones, shape)


def _window_sum(x: Any, shape: Geometry) -> Any:
    padded = padded_input(x, shape)
    parts = [padded[(slice(None), *place, slice(None))] for place in shape.offsets()]
    total = parts[0]
    for part in parts[1:]:
        total = total + part
    return total


def _pooled(
    x: Any, window: Sizes, stride: Sizes | None, padding: Padding, dilation: Sizes
) -> Geometry:
    if x.ndim < 3:
        raise ShapeError(f"x.ndim >= 3: {x.ndim} < 3: x has the axes (N, *spatial, C)")
    shape = geometry(x.shape[1:-1], window, stride, padding, dilation)
    for (before, after), extent in zip(shape.padding, shape.extent, strict=True):
        if max(before, after) >= extent:
            raise HyperparameterError(
                f"padding < the window's extent: {max(before, after)} >= {extent}"
            )
    return shape
