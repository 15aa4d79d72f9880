"""JAX's own convolution and its transpose."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

Array = jax.Array


def _axes(rank: int) -> lax.ConvDimensionNumbers:
    """Say that the channels are last: ``(N, *spatial, C)`` and ``(*window, C / groups, out)``."""
    images = (0, rank + 1, *range(1, rank + 1))
    return lax.ConvDimensionNumbers(images, (rank + 1, rank, *range(rank)), images)


def convolution(x: Array, w: Array, bias: Array | None = None, *, shape: Any) -> Array:
    y = lax.conv_general_dilated(
        x,
        w,
        shape.stride,
        shape.padding,
        rhs_dilation=shape.dilation,
        dimension_numbers=_axes(len(shape.window)),
        feature_group_count=shape.groups,
    )
    return y if bias is None else y + bias


def transposed_convolution(g: Array, w: Array, bias: Array | None = None, *, shape: Any) -> Array:
    rank, groups = len(shape.window), shape.groups
    *window, out, channels = w.shape
    w = jnp.flip(w, tuple(range(rank))).reshape(*window, out, groups, channels // groups)
    w = jnp.moveaxis(w, -1, rank).swapaxes(-1, -2)
    ends = []
    rows = zip(g.shape[1:-1], shape.spatial, shape.stride, shape.extent, shape.padding, strict=True)
    for n, size, step, extent, (before, _) in rows:
        first = extent - 1 - before
        ends.append((first, size - (n - 1) * step + extent - 2 - first))
    y = lax.conv_general_dilated(
        g,
        w.reshape(*window, channels // groups, groups * out),
        (1,) * rank,
        ends,
        lhs_dilation=shape.stride,
        rhs_dilation=shape.dilation,
        dimension_numbers=_axes(rank),
        feature_group_count=groups,
    )
    return y if bias is None else y + bias


KERNELS: Mapping[str, Callable[..., Any]] = {
    "convolution": convolution,
    "transposed_convolution": transposed_convolution,
}
