"""Pooling on NumPy: the largest entries and the sums of windows, axis by axis."""

from __future__ import annotations

import itertools
import math
import operator
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import numpy as np

from portanet.backends.numpy.convolution import padded

Array = np.ndarray
_BLOCK = 64  # arrays joined one after another: of more, about as many blocks are joined so


def _places(x: Array, shape: Any) -> Iterator[Array]:
    """Yield views of a padded array: the entries of all windows, place by place."""
    for place in shape.offsets:
        yield x[(slice(None), *place)]


def _along_axes(x: Array, shape: Any, join: Any, value: float, out: Array | None) -> Array:
    """Join the entries of each window by `join`, one axis after the other."""
    x = padded(x, shape, value)
    last = x.ndim - 2
    for axis in range(1, last + 1):
        count, window = shape.output[axis - 1], shape.window[axis - 1]
        step, gap = shape.stride[axis - 1], shape.dilation[axis - 1]
        before = (slice(None),) * axis
        starts = range(0, window * gap, gap)
        parts = [x[(*before, slice(i, i + step * (count - 1) + 1, step))] for i in starts]
        target = out if axis == last and out is not None else np.empty(parts[0].shape, x.dtype)
        _join(parts, join, target)
        x = target
    return x


def _join(parts: list[Array], join: Any, out: Array) -> None:
    """Join arrays into `out`; many of them in blocks, whose sums keep their digits."""
    if len(parts) == 1:
        out[...] = parts[0]
        return
    join(parts[0], parts[1], out=out)
    for part in parts[2:_BLOCK]:
        join(out, part, out=out)
    for start in range(_BLOCK, len(parts), _BLOCK):
        block = np.empty_like(out)
        _join(parts[start : start + _BLOCK], join, block)
        join(out, block, out=out)


def window_max(x: Array, *, shape: Any, out: Array | None = None) -> Array:
    """Compute `portanet.functional.spatial.windows.window_max`."""
    return _along_axes(x, shape, np.maximum, -math.inf, out)


def window_sum(x: Array, *, shape: Any, out: Array | None = None) -> Array:
    """Compute `portanet.functional.spatial.windows.window_sum`."""
    return _along_axes(x, shape, np.add, 0.0, out)


def _hits(x: Array, y: Array, shape: Any) -> Iterator[Array]:
    """Yield for each place of a window where it is the first to hold the largest entry."""
    free = None
    nan = bool(np.isnan(np.min(y, initial=0.0)))
    for part in _places(padded(x, shape, -math.inf), shape):
        hit = part == y
        if nan:
            hit |= np.isnan(part)
        if free is None:
            yield hit
            free = ~hit
            continue
        hit &= free
        yield hit
        free ^= hit


def route_to_largest(
    d: Array, x: Array, y: Array, *, shape: Any, out: Array | None = None
) -> Array:
    """Compute `portanet.functional.spatial.windows.route_to_largest`."""
    return _spread(d, shape, _hits(x, y, shape), out)


def pick_largest(t: Array, x: Array, y: Array, *, shape: Any, out: Array | None = None) -> Array:
    """Compute `portanet.functional.spatial.windows.pick_largest`."""
    total = np.zeros(y.shape, t.dtype) if out is None else out
    total.fill(0)
    for part, hit in zip(_places(padded(t, shape), shape), _hits(x, y, shape), strict=True):
        np.copyto(total, part, where=hit)
    return total


def window_spread(g: Array, *, shape: Any, out: Array | None = None) -> Array:
    """Compute `portanet.functional.spatial.windows.window_spread`."""
    return _spread(g, shape, itertools.repeat(None), out)


def _spread(g: Array, shape: Any, hits: Iterable[Array | None], out: Array | None) -> Array:
    """Add `g`, or the part of it where a window's place is hit, to each place of the windows."""
    bare = shape.padded == shape.spatial
    total = out if bare else None
    if total is None:
        total = np.empty((g.shape[0], *shape.padded, g.shape[-1]), g.dtype)
    fresh = shape.stride == shape.window and shape.dilation == (1,) * len(shape.window)
    if not fresh or shape.padded != tuple(map(operator.mul, shape.output, shape.window)):
        total.fill(0)
    for place, hit in zip(_places(total, shape), hits, strict=False):
        if not fresh:
            place += g if hit is None else g * hit
        elif hit is None:
            place[...] = g
        else:
            np.multiply(g, hit, place)
    inner = total if bare else total[(slice(None), *shape.inner)]
    if out is None or out is total:
        return inner
    out[...] = inner
    return out


KERNELS: Mapping[str, Callable[..., Any]] = {
    "pick_largest": pick_largest,
    "route_to_largest": route_to_largest,
    "window_max": window_max,
    "window_spread": window_spread,
    "window_sum": window_sum,
}
