"""Reducing the rows of an array that belong to one place: where `at` and the segments meet."""

from __future__ import annotations

import functools
import math
import operator
from typing import Any

from portanet.functional.half import rounded, widened
from portanet.functional.kernel import kernel
from portanet.interface import array_namespace, backend_of, device_of
from portanet.tape.ops.form import own
from portanet.tape.ops.index_batching import segments
from portanet.tape.rule import Explicit, Linear
from portanet.tape.segmented import reduced


@kernel(
    rule=Linear(lambda xp, g, x, places, count: xp.take(g, places, axis=0), arity=None),
    batching=segments,
    numpy=own,
    fresh=True,
)
def add_rows(x: Any, places: Any, count: int) -> Any:
    """Add each row of `x` to the row of zeros at its place."""
    return array_namespace(x, places).scatter_take(x, places, 0, (count, *x.shape[1:]))


@functools.cache
def is_kind(xp: Any, dtype: Any, kinds: tuple[str, ...]) -> bool:
    """Whether a dtype is of one of some kinds of the standard."""
    return bool(xp.isdtype(dtype, kinds))


def sum_rows(x: Any, places: Any, count: int) -> Any:
    """Compute `add_rows`, numbers of 16 bits in float32."""
    return rounded(add_rows(widened(x), places, count), x)


def mean_rows(x: Any, places: Any, count: int) -> Any:
    """Take the mean of the rows of `x` that have one place; where there is none it is 0."""
    xp = array_namespace(x, places)
    wide = widened(x)
    real = xp.real(wide).dtype if is_kind(xp, x.dtype, ("complex floating",)) else wide.dtype
    one = xp.ones(places.shape, dtype=real, device=device_of(x))
    size = xp.reshape(sum_rows(one, places, count), (count, *(1,) * (x.ndim - 1)))
    mean = sum_rows(wide, places, count) / xp.where(size < 1, xp.ones_like(size), size)
    return rounded(mean, x)


def multiply_rows(x: Any, places: Any, count: int) -> Any:
    """Multiply the rows of `x` that have one place; where there is none the product is 1."""
    return reduced(array_namespace(x, places), operator.mul, 1, x, places, count)


def lowest(x: Any) -> Any:
    """Return the number below all others in the dtype of `x`."""
    if backend_of(x).is_real(x.dtype):
        return -math.inf
    return array_namespace(x).iinfo(x.dtype).min


def _hits(xp: Any, y: Any, x: Any, places: Any) -> Any:
    """Say of each entry whether it is the largest one; where that is NaN, every NaN is."""
    return xp.logical_or(x == xp.take(y, places, axis=0), xp.isnan(x))


def _largest_vjp(xp: Any, g: Any, y: Any, x: Any, places: Any, count: int) -> Any:
    hit = _hits(xp, y, x, places)
    ties = add_rows(xp.astype(hit, x.dtype), places, count)
    return xp.where(hit, xp.take(g / xp.maximum(ties, xp.ones_like(ties)), places, axis=0), 0.0)


def _largest_jvp(xp: Any, t: Any, y: Any, x: Any, places: Any, count: int) -> Any:
    hit = _hits(xp, y, x, places)
    ties = add_rows(xp.astype(hit, x.dtype), places, count)
    return add_rows(xp.where(hit, t, 0.0), places, count) / xp.maximum(ties, xp.ones_like(ties))


@kernel(
    rule=Explicit(_largest_vjp, _largest_jvp, arity=None),
    batching=segments,
    numpy=own,
    fresh=True,
)
def segment_max(x: Any, places: Any, count: int) -> Any:
    """Return the largest rows, entry by entry, and the lowest number where there is no row."""
    xp = array_namespace(x, places)
    return reduced(xp, xp.maximum, lowest(x), x, places, count)


def largest_rows(x: Any, places: Any, count: int) -> Any:
    """Compute `segment_max`."""
    return segment_max(x, places, count)


def smallest_rows(x: Any, places: Any, count: int) -> Any:
    """Return the smallest rows, entry by entry, and the largest number where there is no row."""
    turned = operator.neg if backend_of(x).is_real(x.dtype) else operator.invert
    return turned(segment_max(turned(x), places, count))


def last_rows(xp: Any, x: Any, y: Any, places: Any) -> Any:
    """Return `x` with the rows of `y` at their places; of several the last one counts."""
    count, n = x.shape[0], y.shape[0]
    source = segment_max(xp.arange(n, device=device_of(x)), places, count)
    hit = xp.reshape(source >= 0, (count, *(1,) * (x.ndim - 1)))
    return xp.where(hit, xp.take(y, xp.where(source < 0, 0, source), axis=0), x)
