"""The largest entry of each window, and the sum of each: the operations under pooling.

The derivative of the largest entry goes to the first that is largest. Which one that is has no
derivative itself, so the two that follow it, there and back, are linear.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import reduce
from itertools import islice
from operator import add
from typing import Any

from portanet.functional.gradient import detach
from portanet.functional.kernel import kernel
from portanet.functional.spatial.geometry import Geometry, padded_input
from portanet.functional.spatial.patches import add_patches, patches_shape
from portanet.interface import array_namespace
from portanet.tape.ops.batching import samples
from portanet.tape.ops.form import into
from portanet.tape.rule import Explicit, Linear

_BLOCK = 64  # terms added one after another: of more, about as many blocks are summed so


def _parts(x: Any, shape: Geometry, value: float = 0.0) -> Iterator[Any]:
    """Yield the entries of all windows, place by place."""
    padded = padded_input(x, shape, value)
    for place in shape.offsets:
        yield padded[(slice(None), *place, slice(None))]


def _hits(xp: Any, x: Any, y: Any, shape: Geometry) -> Iterator[Any]:
    """Yield for each place of a window where it is the first to hold the largest entry."""
    free = None
    for part in _parts(x, shape, -math.inf):
        hit = xp.logical_or(part == y, xp.isnan(part))
        yield hit if free is None else xp.logical_and(hit, free)
        missed = xp.logical_not(hit)
        free = missed if free is None else xp.logical_and(free, missed)


def _to_largest(xp: Any, d: Any, y: Any, x: Any, *, shape: Geometry) -> Any:
    return route_to_largest(d, detach(x), detach(y), shape=shape)


def _of_largest(xp: Any, t: Any, y: Any, x: Any, *, shape: Geometry) -> Any:
    return pick_largest(t, detach(x), detach(y), shape=shape)


@kernel(rule=Explicit(_to_largest, _of_largest), batching=samples(1), numpy=into, fresh=True)
def window_max(x: Any, *, shape: Geometry) -> Any:
    """The largest entry of each window: ``(N, *output, C)``."""
    xp = array_namespace(x)
    best = None
    for part in _parts(x, shape, -math.inf):
        if best is None:
            best = part
        else:
            best = xp.where(xp.logical_or(part > best, xp.isnan(part)), part, best)
    return best


def _picked(xp: Any, g: Any, d: Any, x: Any, y: Any, *, shape: Geometry) -> Any:
    return pick_largest(g, x, y, shape=shape)


@kernel(rule=Linear(_picked, arity=3), batching=samples(3), numpy=into, fresh=True)
def route_to_largest(d: Any, x: Any, y: Any, *, shape: Geometry) -> Any:
    """Give the entries of `d` to the first largest entries `y` of the windows of `x`."""
    xp = array_namespace(d, x)
    parts = [xp.where(hit, d, 0.0) for hit in _hits(xp, x, y, shape)]
    patches = xp.reshape(xp.stack(parts, axis=-2), patches_shape(x, shape))
    return add_patches(patches, shape=shape)


def _routed(xp: Any, g: Any, t: Any, x: Any, y: Any, *, shape: Geometry) -> Any:
    return route_to_largest(g, x, y, shape=shape)


@kernel(rule=Linear(_routed, arity=3), batching=samples(3), numpy=into, fresh=True)
def pick_largest(t: Any, x: Any, y: Any, *, shape: Geometry) -> Any:
    """Take the entries of `t` where `x` has the first largest entries `y` of its windows."""
    xp = array_namespace(t, x)
    total = None
    for part, hit in zip(_parts(t, shape), _hits(xp, x, y, shape), strict=True):
        part = xp.where(hit, part, 0.0)
        total = part if total is None else total + part
    return total


def _spread_sum(xp: Any, g: Any, x: Any, *, shape: Geometry) -> Any:
    return window_spread(g, shape=shape)


@kernel(rule=Linear(_spread_sum), batching=samples(1), numpy=into, fresh=True)
def window_sum(x: Any, *, shape: Geometry) -> Any:
    """The sum of each window: ``(N, *output, C)``; that of a large one is taken in blocks."""
    parts = _parts(x, shape)
    blocks = (reduce(add, islice(parts, _BLOCK - 1), first) for first in parts)
    return reduce(add, blocks)


def _summed(xp: Any, h: Any, g: Any, *, shape: Geometry) -> Any:
    return window_sum(h, shape=shape)


@kernel(rule=Linear(_summed), batching=samples(1), numpy=into, fresh=True)
def window_spread(g: Any, *, shape: Geometry) -> Any:
    """Add each entry of `g` to a whole window: the transpose of `window_sum`."""
    xp = array_namespace(g)
    count = math.prod(shape.window)
    rows = g.shape[0] * math.prod(shape.output), math.prod(shape.window[:-1]), shape.window[-1]
    patches = xp.broadcast_to(xp.expand_dims(g, axis=-2), (*g.shape[:-1], count, g.shape[-1]))
    return add_patches(xp.reshape(patches, (*rows, g.shape[-1])), shape=shape)
