"""Convolution on NumPy: windows as the rows of a matrix, several of them in a row.

A row that holds neighbouring windows is multiplied by a matrix in which the kernel stands once a
window, further down each time, with zeros elsewhere. It costs more multiplications and takes less
time: longer rows suit the product, and fewer entries are copied. Where NaN or infinity times
those zeros would spoil other windows, the products are taken window by window instead.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import as_strided

from portanet.functional.kernel import GENERIC

Array = np.ndarray
_add_up: Any = np.add.reduce  # NumPy's types know no `out` of None
_TOGETHER = 64
# What a product and a copy cost, relative to each other, as measured with OpenBLAS.
_PRODUCT, _START = 0.05, 20.0  # of two numbers; of a row, in columns of its result
_COPY, _RUN = 0.5, 8.0  # of a number; of a stretch of them that lie side by side


def windows_in_row(shape: Any, channels: int, out: int, dtype: np.dtype) -> int:
    """Return how many windows along the last axis share a row: a divisor of their number."""
    if shape.groups > 1 or shape.dilation[-1] > 1 or dtype.char not in "fdFD":
        return 1
    count, step, width = shape.output[-1], shape.stride[-1], shape.window[-1]

    def cost(n: int) -> float:
        entries = (width + (n - 1) * step) * channels
        return _PRODUCT * entries * (out + _START / n) + (_COPY * entries + _RUN) / n

    return min((n for n in range(1, count + 1) if count % n == 0), key=cost, default=1)


def _under_windows(x: Array, shape: Any) -> Array:
    """Look at an array that is padded already: ``(N, *output, *window, C)``."""
    steps = x.strides[1:-1]
    outer = (n * s for n, s in zip(steps, shape.stride, strict=True))
    inner = (n * d for n, d in zip(steps, shape.dilation, strict=True))
    return as_strided(
        x,
        (x.shape[0], *shape.output, *shape.window, x.shape[-1]),
        (x.strides[0], *outer, *inner, x.strides[-1]),
    )


def padded(x: Array, shape: Any, value: float = 0.0) -> Array:
    """Return `x` with the padding around its spatial axes."""
    if shape.padded == shape.spatial:
        return x
    wide = np.full((x.shape[0], *shape.padded, x.shape[-1]), value, x.dtype)
    wide[(slice(None), *shape.inner)] = x
    return wide


def window_patches(x: Array, *, shape: Any, out: Array | None = None) -> Array:
    """Compute `portanet.functional.spatial.patches.window_patches`."""
    view = _under_windows(padded(x, shape), shape)
    if out is None:
        rows, lines = x.shape[0] * math.prod(shape.output), math.prod(shape.window[:-1])
        out = np.empty((rows, lines, *view.shape[-2:]), x.dtype)
    out.reshape(view.shape)[...] = view
    return out


def add_patches(patches: Array, *, shape: Any, out: Array | None = None) -> Array:
    """Compute `portanet.functional.spatial.patches.add_patches`."""
    n, channels = patches.shape[0] // math.prod(shape.output), patches.shape[-1]
    if out is None or shape.padded != shape.spatial:
        total = np.zeros((n, *shape.padded, channels), patches.dtype)
    else:
        total = out
        total.fill(0)
    target = _under_windows(total, shape)
    source = patches.reshape(target.shape)
    # So many entries at the start of each window touch no other window.
    width = shape.stride[-1] if shape.dilation[-1] == 1 else 1
    lines = itertools.product(*map(range, shape.window[:-1]))
    starts = range(0, shape.window[-1], width)
    for line, start in itertools.product(lines, starts):
        part = (..., *line, slice(start, start + width), slice(None))
        np.add(target[part], source[part], target[part])
    inner = total[(slice(None), *shape.inner)]
    if out is None:
        return inner
    if out is not total:
        out[...] = inner
    return out


def _diagonal(matrix: Array, w_shape: tuple[int, ...], cut: Any) -> Array:
    """Look at the places of the kernel in a matrix: ``(windows, *w_shape)``."""
    lines, _, channels, out = w_shape
    wide = matrix.shape[0] // (lines * channels) if lines * channels else 0
    view = matrix.reshape(lines, wide, channels, cut.windows, out)
    a, b, c, d, e = view.strides
    return as_strided(view, (cut.windows, *w_shape), (d + cut.step * b, a, b, c, e))


def _matrix(w: Array, cut: Any) -> Array:
    """The kernel once a window, zeros elsewhere: ``(entries of a row * C, windows * out)``."""
    lines, width, channels, out = w.shape
    if cut.windows == 1:
        return w.reshape(lines * width * channels, out)
    wide = width + (cut.windows - 1) * cut.step
    matrix = np.zeros((lines * wide * channels, cut.windows * out), w.dtype)
    _diagonal(matrix, w.shape, cut)[...] = w
    return matrix


def _rows(patches: Array) -> Array:
    return patches.reshape(patches.shape[0], math.prod(patches.shape[1:]))


def _spoilt(y: Array) -> bool:
    """Whether there may be NaN or infinity among the entries."""
    flat = y.reshape(-1)
    return not np.isfinite(np.dot(flat, flat))


def patch_product(
    patches: Array, w: Array, bias: Array | None = None, *, cut: Any, out: Array | None = None
) -> Array:
    """Compute `portanet.functional.spatial.patch_products.patch_product`."""
    if cut.groups > 1:
        y = np.empty((patches.shape[0], w.shape[-1]), patches.dtype) if out is None else out
        if w.shape[2] == 1:  # too thin for a product of matrices
            v = _thin(w, cut)
            np.einsum("rkc,kcm->rcm", _entries(patches), v, out=y.reshape(len(y), *v.shape[1:]))
        else:
            y[...] = GENERIC["patch_product"](patches, w, cut=cut)
    else:
        y = np.dot(_rows(patches), _matrix(w, cut), out)
        if cut.windows > 1 and _spoilt(y):
            y[...] = GENERIC["patch_product"](patches, w, cut=cut)
    if bias is not None:
        # Rows of a few entries cost more than they hold: add to several at once.
        together = math.gcd(y.shape[0], _TOGETHER)
        wide = y.reshape(y.shape[0] // together, together * y.shape[1])
        wide += np.concatenate((bias,) * (cut.windows * together))
    return y


def patch_spread(g: Array, w: Array, *, cut: Any, out: Array | None = None) -> Array:
    """Compute `portanet.functional.spatial.patch_products.patch_spread`."""
    lines, width, channels, _ = w.shape
    if out is None:
        wide = width + (cut.windows - 1) * cut.step
        out = np.empty((g.shape[0], lines, wide, channels * cut.groups), g.dtype)
    if cut.groups == 1:
        np.dot(g, _matrix(w, cut).T, _rows(out))
    elif channels == 1:
        v = _thin(w, cut)
        np.einsum("rcm,kcm->rkc", g.reshape(len(g), *v.shape[1:]), v, out=_entries(out))
    if (cut.groups > 1 < channels) or (cut.windows > 1 and _spoilt(out)):
        out[...] = GENERIC["patch_spread"](g, w, cut=cut)
    return out


def patch_collect(patches: Array, g: Array, *, cut: Any, out: Array | None = None) -> Array:
    """Compute `portanet.functional.spatial.patch_products.patch_collect`."""
    lines, wide, channels = patches.shape[1:]
    width, columns = wide - (cut.windows - 1) * cut.step, g.shape[-1] // cut.windows
    shape = lines, width, channels // cut.groups, columns
    if cut.groups == 1:
        matrix = np.dot(_rows(patches).T, g)
        return _add_up(_diagonal(matrix, shape, cut), 0, None, out)
    if out is None:
        out = np.empty(shape, g.dtype)
    if shape[2] == 1:
        v = _thin(out, cut)
        np.einsum("rkc,rcm->kcm", _entries(patches), g.reshape(len(g), *v.shape[1:]), out=v)
    else:
        out[...] = GENERIC["patch_collect"](patches, g, cut=cut)
    return out


def _entries(patches: Array) -> Array:
    """Look at patches as (rows, entries of a window, C)."""
    rows, lines, width, channels = patches.shape
    return patches.reshape(rows, lines * width, channels)


def _thin(w: Array, cut: Any) -> Array:
    """Look at a kernel for groups of one channel as (entries of a window, C, out / C)."""
    return w.reshape(w.shape[0] * w.shape[1], cut.groups, w.shape[-1] // cut.groups)


KERNELS: Mapping[str, Callable[..., Any]] = {
    "add_patches": add_patches,
    "patch_collect": patch_collect,
    "patch_product": patch_product,
    "patch_spread": patch_spread,
    "window_patches": window_patches,
    "windows_in_row": windows_in_row,
}
