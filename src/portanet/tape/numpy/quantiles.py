"""Medians, quantiles and percentiles: what is found by sorting."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from portanet.errors import ArgumentError, TracedValueError
from portanet.tape.box import Box
from portanet.tape.numpy.operands import NOT_GIVEN, array, axes, floating, one_axis, refuse

# Hyndman and Fan's continuous definitions, by the alpha and beta of the plotting position.
_POSITIONS = {
    "hazen": (0.5, 0.5),
    "interpolated_inverted_cdf": (0.0, 1.0),
    "linear": (1.0, 1.0),
    "median_unbiased": (1 / 3, 1 / 3),
    "normal_unbiased": (3 / 8, 3 / 8),
    "weibull": (0.0, 0.0),
}
_ROUNDED = {"higher", "lower", "midpoint", "nearest"}


def _sorted_last(xp: Any, a: Any, axis: Any) -> tuple[Any, tuple[int, ...], tuple[int, ...]]:
    """Sort along the reduced axes as one, the last; and give the shapes of what is left."""
    rank = a.ndim
    axis = axes(axis)
    chosen = range(rank) if axis is None else axis if isinstance(axis, tuple) else (axis,)
    reduced = tuple(one_axis("axis", i, rank) for i in chosen)
    kept = tuple(i for i in range(rank) if i not in reduced)
    shape = tuple(a.shape[i] for i in kept)
    whole = tuple(1 if i in reduced else n for i, n in enumerate(a.shape))
    count = math.prod(a.shape[i] for i in reduced)
    moved = xp.reshape(xp.permute_dims(a, (*kept, *reduced)), (*shape, count))
    return xp.sort(moved, axis=-1), shape, whole


def _counts(xp: Any, ordered: Any, skip_nan: bool) -> Any:
    """How many elements of each slice count, with a last axis of size 1."""
    if not skip_nan:
        return np.full((1,) * ordered.ndim, ordered.shape[-1])
    valid = xp.constants.logical_not(xp.constants.isnan(ordered))
    return xp.constants.sum(xp.constants.astype(valid, np.dtype(np.int64)), axis=-1, keepdims=True)


def _ranked(xp: Any, ordered: Any, ranks: Any) -> Any:
    """Take from each sorted slice the elements of the given ranks."""
    shape = (*ordered.shape[:-1], ranks.shape[-1])
    return xp.take_along_axis(ordered, xp.constants.broadcast_to(ranks, shape), axis=-1)


def _spoiled(xp: Any, ordered: Any, y: Any) -> Any:
    """Let NaN, which is sorted to the end, spoil its slice."""
    last = ordered[..., -1:]
    return xp.where(xp.constants.isnan(last), last, y) if ordered.dtype.kind in "fc" else y


def _missing(xp: Any, ordered: Any, shape: tuple[int, ...]) -> Any:
    """Return NaN as what stands in the middle of nothing."""
    dtype = floating(xp, ordered).dtype
    return xp.broadcast_to(xp.asarray(np.asarray(np.nan, dtype)), shape)


def _median(skip_nan: bool) -> Callable[..., Any]:
    missing = NOT_GIVEN if skip_nan else False

    def body(
        xp: Any, a: Any, axis: Any = None, out: Any = None, overwrite_input: bool = False,
        keepdims: Any = missing,
    ) -> Any:  # fmt: skip
        ordered, shape, whole = _sorted_last(xp, array(xp, a), axis)
        if not ordered.shape[-1]:
            return _missing(xp, ordered, whole if keepdims is not NOT_GIVEN and keepdims else shape)
        counts = _counts(xp, ordered, skip_nan)
        low = xp.constants.clip((counts - 1) // 2, 0, None)
        high = xp.constants.minimum(counts // 2, xp.constants.clip(counts - 1, 0, None))
        pair = _ranked(xp, ordered, xp.concat([low, high], axis=-1))
        y = xp.mean(floating(xp, pair), axis=-1, keepdims=True)
        y = y if skip_nan else _spoiled(xp, ordered, y)
        return xp.reshape(y, whole if keepdims is not NOT_GIVEN and keepdims else shape)

    return body


def _quantile(percent: bool, skip_nan: bool) -> Callable[..., Any]:
    missing = NOT_GIVEN if skip_nan else False
    name = ("nan" if skip_nan else "") + ("percentile" if percent else "quantile")

    def body(
        xp: Any, a: Any, q: Any, axis: Any = None, out: Any = None, overwrite_input: bool = False,
        method: str = "linear", keepdims: Any = missing, *, weights: Any = None,
    ) -> Any:  # fmt: skip
        if weights is not None or method not in {*_POSITIONS, *_ROUNDED}:
            refuse(f"numpy.{name} with weights or method={method!r}", "use method='linear'")
        a = array(xp, a)
        shares = _shares(name, a, q, percent)
        ordered, shape, whole = _sorted_last(xp, a, axis)
        kept = whole if keepdims is not NOT_GIVEN and keepdims else shape
        if skip_nan and not ordered.size:  # NumPy asks for the shares no longer
            return _missing(xp, ordered, kept)
        y = _interpolated(xp, ordered, _counts(xp, ordered, skip_nan), shares, method)
        y = y if skip_nan else _spoiled(xp, ordered, y)
        y = xp.reshape(y, (*kept, shares.size))
        y = xp.moveaxis(y, -1, 0)
        return xp.reshape(y, (*shares.shape, *y.shape[1:]))

    return body


def _shares(name: str, a: Any, q: Any, percent: bool) -> Any:
    if isinstance(q, Box):
        raise TracedValueError(f"numpy.{name}: q cannot be traced: give it as a plain number")
    real = a.dtype.kind == "f"
    shares = np.asarray(q, dtype=a.dtype if real and isinstance(q, int | float) else None)
    if percent:
        shares = np.true_divide(shares, a.dtype.type(100) if real else 100)
    if not np.all((shares >= 0) & (shares <= 1)):
        raise ArgumentError(f"numpy.{name}: q lies between 0 and {100 if percent else 1}: {q!r}")
    return shares


def _interpolated(xp: Any, ordered: Any, counts: Any, shares: Any, method: str) -> Any:
    """Take the values at fractional ranks from sorted slices, as NumPy rounds them."""
    plain = xp.constants
    q = shares.reshape(-1)
    counts = plain.astype(counts, np.result_type(q.dtype, np.float16))
    alpha, beta = _POSITIONS.get(method, (1.0, 1.0))
    if (alpha, beta) == (1.0, 1.0):
        ranks = (counts - 1) * q
    else:
        ranks = counts * q + (alpha + q * (1 - alpha - beta)) - 1
    ranks = plain.clip(ranks, 0.0, plain.astype(counts - 1, ranks.dtype))
    low = plain.floor(ranks)
    if method in _ROUNDED:
        low, ranks = _whole(plain, method, ranks)
    share = ranks - low
    low = plain.clip(plain.astype(low, np.dtype(np.int64)), 0, None)
    high = plain.minimum(low + 1, plain.clip(plain.astype(counts, low.dtype) - 1, 0, None))
    below, above = _ranked(xp, ordered, low), _ranked(xp, ordered, high)
    if method in ("lower", "higher", "nearest"):
        return below
    step = above - below
    return xp.where(share >= 0.5, above - step * (1 - share), below + step * share)


def _whole(plain: Any, method: str, ranks: Any) -> tuple[Any, Any]:
    low = plain.floor(ranks)
    if method == "lower":
        return low, low
    if method == "higher":
        return plain.ceil(ranks), ranks
    if method == "nearest":
        return plain.round(ranks), ranks
    return low, low + 0.5 * plain.astype(ranks > low, low.dtype)


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "median": _median(skip_nan=False),
    "nanmedian": _median(skip_nan=True),
    "nanpercentile": _quantile(percent=True, skip_nan=True),
    "nanquantile": _quantile(percent=False, skip_nan=True),
    "percentile": _quantile(percent=True, skip_nan=False),
    "quantile": _quantile(percent=False, skip_nan=False),
}
