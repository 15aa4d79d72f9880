"""Torch's own convolution, pooling and resampling.

Torch has the channels before the spatial axes: it gets views of arrays that have them last, the
memory layout that it calls ``channels_last`` and has kernels for.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch.nn import functional

from portanet.functional.kernel import GENERIC

Tensor = torch.Tensor
_LARGE = 64  # entries of a window, of which the sum one by one loses digits


def _native(name: str, x: Tensor) -> Any:
    """Return torch's function of `name` for the spatial axes of `x`, None if there is none."""
    rank = x.ndim - 2
    return getattr(functional, f"{name}{rank}d") if rank <= 3 else None


def _around(pairs: Any) -> list[int]:
    """Widths as ``functional.pad`` takes them, the last axis first."""
    return [n for pair in reversed(pairs) for n in pair]


def _laid_out(x: Tensor, w: Tensor) -> tuple[Tensor, Tensor]:
    """Give the kernel the layout of images whose channels are first in memory, or are but one.

    One with a single output looks to torch as if it had that layout, and its gradient needs it.
    """
    return (x, w.contiguous()) if x.is_contiguous() or w.shape[0] == 1 else (x, w)


def _padded(x: Tensor, shape: Any, value: float, most: Any) -> tuple[Tensor, tuple[int, ...]]:
    """Pad what torch's function would not: ends that differ, or more than `most` of a window."""
    widths = tuple(before for before, _ in shape.padding)
    fits = all(before == after for before, after in shape.padding)
    if fits and all(n <= m for n, m in zip(widths, most, strict=True)):
        return x, widths
    return functional.pad(x, _around(shape.padding), value=value), (0,) * len(widths)


def convolution(x: Tensor, w: Tensor, bias: Tensor | None = None, *, shape: Any) -> Tensor:
    native = _native("conv", x)
    if native is None:
        return GENERIC["convolution"](x, w, bias, shape=shape)
    x, w = _laid_out(x.movedim(-1, 1), w.movedim((-1, -2), (0, 1)))
    x, padding = _padded(x, shape, 0.0, shape.padded)
    return native(x, w, bias, shape.stride, padding, shape.dilation, shape.groups).movedim(1, -1)


def transposed_convolution(
    g: Tensor, w: Tensor, bias: Tensor | None = None, *, shape: Any
) -> Tensor:
    native = _native("conv_transpose", g)
    if native is None:
        return GENERIC["transposed_convolution"](g, w, bias, shape=shape)
    if g.dtype.itemsize == 2 and g.device.type == "cpu":  # where torch adds up in 16 bits
        wide = (None if x is None else x.float() for x in (g, w, bias))
        return transposed_convolution(*wide, shape=shape).to(g.dtype)  # pyright: ignore
    g, w = _laid_out(g.movedim(-1, 1), w.movedim((-1, -2), (0, 1)))
    rows = zip(g.shape[2:], shape.stride, shape.extent, strict=True)
    full = [(n - 1) * s + e for n, s, e in rows]
    cut = tuple(before for before, _ in shape.padding)
    extra = tuple(n - f + 2 * p for n, f, p in zip(shape.spatial, full, cut, strict=True))
    fits = all(0 <= e < s for e, s in zip(extra, shape.stride, strict=True))
    options = (cut, extra) if fits else (0, 0)
    y = native(g, w, bias if fits else None, shape.stride, *options, shape.groups, shape.dilation)
    if not fits:
        ends = [(-p, n - f + p) for n, f, p in zip(shape.spatial, full, cut, strict=True)]
        y = functional.pad(y, _around(ends))
    y = y.movedim(1, -1)
    return y if fits or bias is None else y + bias


def window_max(x: Tensor, *, shape: Any) -> Tensor:
    native = _native("max_pool", x)
    if native is None or not x.numel():
        return GENERIC["window_max"](x, shape=shape)
    halves = tuple(k // 2 for k in shape.window)
    x, padding = _padded(x.movedim(-1, 1), shape, -math.inf, halves)
    return native(x, shape.window, shape.stride, padding, shape.dilation).movedim(1, -1)


def window_sum(x: Tensor, *, shape: Any) -> Tensor:
    if x.ndim > 5 or max(shape.dilation) > 1 or x.is_complex() or not x.numel():
        return GENERIC["window_sum"](x, shape=shape)
    if math.prod(shape.window) > _LARGE and shape.stride == shape.window:
        return _sum_of_tiles(x, shape)
    halves = tuple(k // 2 for k in shape.window)
    x, padding = _padded(x.movedim(-1, 1), shape, 0.0, halves)
    window, stride = shape.window, shape.stride
    flat = x.ndim == 3  # torch gives the mean of one axis only
    if flat:
        x, window, stride, padding = x.unsqueeze(2), (1, *window), (1, *stride), (0, *padding)
    native = _native("avg_pool", x)
    y = native(x, window, stride, padding, False, True, 1)
    return (y.squeeze(2) if flat else y).movedim(1, -1)


def _sum_of_tiles(x: Tensor, shape: Any) -> Tensor:
    """Sum windows that touch by torch's sum, which adds pairwise: a pool adds one by one."""
    x, _ = _padded(x.movedim(-1, 1), shape, 0.0, (0,) * len(shape.window))
    for axis, size in enumerate(shape.window, 2):
        x = x.unfold(axis, size, size).sum(-1)
    return x.movedim(1, -1)


def resized(
    x: Tensor,
    sizes: tuple[int, ...],
    scales: tuple[float, ...] | None,
    mode: str,
    align_corners: bool,
) -> Tensor:
    if x.ndim > 5 or x.is_complex() or not x.numel():
        return GENERIC["resized"](x, sizes, scales, mode, align_corners)
    y = functional.interpolate(
        x.movedim(-1, 1),
        list(sizes) if scales is None else None,
        None if scales is None else list(scales),
        mode,
        None if mode == "nearest" else align_corners,
    )
    return y.movedim(1, -1)


KERNELS: Mapping[str, Callable[..., Any]] = {
    "convolution": convolution,
    "resized": resized,
    "transposed_convolution": transposed_convolution,
    "window_max": window_max,
    "window_sum": window_sum,
}
