"""Cards of the functions that reduce along axes."""

from __future__ import annotations

import math
from typing import Any

from portanet.tape.ops.batching import entry_of, flat, over_axes, positive
from portanet.tape.ops.card import Card, Role
from portanet.tape.ops.extremes import extreme
from portanet.tape.ops.sums import mean_of, sum_of
from portanet.tape.ops.words import MAXIMUM, MINIMUM, Fold
from portanet.tape.rule import Constant, Explicit, Linear, cast, conj, is_complex
from portanet.tape.signature import axes_of

Axis = int | tuple[int, ...] | None
_LARGEST_OF_FLOAT16 = 65504
_INFINITE = "(1e38f * 1e38f)"  # no name of infinity is known to every compiler


def kept(xp: Any, y: Any, x: Any, axis: Axis, keepdims: bool) -> Any:
    """Give a reduced array the rank of `x` again, with size 1 along the reduced axes."""
    if keepdims or y.ndim == x.ndim:
        return y
    reduced = axes_of(axis, x.ndim)
    return xp.reshape(y, tuple(1 if i in reduced else n for i, n in enumerate(x.shape)))


def _spread(xp: Any, g: Any, x: Any, axis: Axis, keepdims: bool) -> Any:
    return xp.broadcast_to(kept(xp, g, x, axis, keepdims), x.shape)


def count_of(x: Any, axis: Axis) -> int:
    count = 1
    for a in axes_of(axis, x.ndim):
        count *= x.shape[a]
    return count


def _sum_transpose(
    xp: Any, g: Any, x: Any, *, axis: Axis = None, dtype: Any = None, keepdims: bool = False
) -> Any:
    return cast(xp, _spread(xp, g, x, axis, keepdims), x.dtype)


def _mean_transpose(xp: Any, g: Any, x: Any, *, axis: Axis = None, keepdims: bool = False) -> Any:
    return _spread(xp, _share(g, max(count_of(x, axis), 1)), x, axis, keepdims)


def _share(g: Any, count: int) -> Any:
    """Divide by a count, which float16 may not have: beyond 65504 in two steps, one exact."""
    if count <= _LARGEST_OF_FLOAT16:
        return g / count
    halvings = 2 ** (count.bit_length() - 15)
    return g / (count / halvings) / halvings


def _hits(xp: Any, y: Any, x: Any, axis: Axis, keepdims: bool) -> Any:
    """The elements that are the extreme one; where that is NaN, every NaN is."""
    return xp.logical_or(x == kept(xp, y, x, axis, keepdims), xp.isnan(x))


def _extreme_vjp(
    xp: Any, g: Any, y: Any, x: Any, *, axis: Axis = None, keepdims: bool = False
) -> Any:
    hit = _hits(xp, y, x, axis, keepdims)
    ties = xp.sum(xp.astype(hit, x.dtype), axis=axis, keepdims=True)
    return xp.where(hit, kept(xp, g, x, axis, keepdims) / ties, 0.0)


def _extreme_jvp(
    xp: Any, t: Any, y: Any, x: Any, *, axis: Axis = None, keepdims: bool = False
) -> Any:
    hit = _hits(xp, y, x, axis, keepdims)
    ties = xp.sum(xp.astype(hit, x.dtype), axis=axis, keepdims=keepdims)
    return xp.sum(xp.where(hit, t, 0.0), axis=axis, keepdims=keepdims) / ties


def _deviation(xp: Any, x: Any, axis: Axis, correction: float) -> Any:
    freedom = count_of(x, axis) - correction
    scale = 2 / freedom if freedom > 0 else math.inf
    return scale * (x - xp.mean(x, axis=axis, keepdims=True))


def _var_vjp(
    xp: Any, g: Any, y: Any, x: Any, *, axis: Axis = None, correction: float = 0.0,
    keepdims: bool = False,
) -> Any:  # fmt: skip
    g = kept(xp, g, x, axis, keepdims)
    g = xp.astype(g, x.dtype) if is_complex(xp, x.dtype) else g
    return g * _deviation(xp, x, axis, correction)


def _var_jvp(
    xp: Any, t: Any, y: Any, x: Any, *, axis: Axis = None, correction: float = 0.0,
    keepdims: bool = False,
) -> Any:  # fmt: skip
    product = conj(xp, _deviation(xp, x, axis, correction)) * t
    return xp.sum(cast(xp, product, y.dtype), axis=axis, keepdims=keepdims)


def _half_inverse(xp: Any, y: Any) -> Any:
    """The derivative of the square root `y`, 0 where `y` is 0."""
    flat = y == 0
    return xp.where(flat, 0.0, 0.5 / xp.where(flat, 1.0, y))


def _std_vjp(
    xp: Any, g: Any, y: Any, x: Any, *, axis: Axis = None, correction: float = 0.0,
    keepdims: bool = False,
) -> Any:  # fmt: skip
    options: dict[str, Any] = {"axis": axis, "correction": correction, "keepdims": keepdims}
    return _var_vjp(xp, g * _half_inverse(xp, y), y, x, **options)


def _std_jvp(
    xp: Any, t: Any, y: Any, x: Any, *, axis: Axis = None, correction: float = 0.0,
    keepdims: bool = False,
) -> Any:  # fmt: skip
    # Divided by the deviation first: in 16 bits the tangent of the variance may be infinite.
    options: dict[str, Any] = {"axis": axis, "correction": correction, "keepdims": keepdims}
    product = conj(xp, _std_vjp(xp, xp.ones_like(y), y, x, **options)) * t
    return xp.sum(cast(xp, product, y.dtype), axis=axis, keepdims=keepdims)


def _extreme_index_batch(
    trace: Any, primitive: Any, values: list[Any], batched: list[bool], kwargs: dict[str, Any]
) -> Any:
    """``argmax`` and ``argmin``: without `axis` of the flattened entry."""
    xp, x, axis = primitive.xp, values[0], kwargs.get("axis")
    if axis is not None and x.ndim > 1:
        return primitive(x, **{**kwargs, "axis": positive(primitive.name, axis, x.ndim - 1) + 1})
    if x.ndim == 1:
        primitive.compute(entry_of(trace, primitive, x), **kwargs)
    index = primitive(flat(xp, x), axis=1)
    kept = kwargs.get("keepdims", False)
    return xp.reshape(index, (x.shape[0], *(1,) * (x.ndim - 1))) if kept else index


CARDS = [
    Card(
        "sum", Linear(_sum_transpose), over_axes, numpy=sum_of, fold=Fold("{0} + {1}", "0"),
        fresh=True, role=Role.SUM,
    ),
    Card(
        "mean", Linear(_mean_transpose), over_axes, numpy=mean_of,
        fold=Fold("{0} + {1}", "0", "{0} / {count}"), fresh=True,
    ),
    Card(
        "max", Explicit(_extreme_vjp, _extreme_jvp), over_axes,
        numpy=extreme("maximum"), fresh=True,
        fold=Fold("portanet_maximum({0}, {1})", f"-{_INFINITE}", helpers=(MAXIMUM,)),
    ),
    Card(
        "min", Explicit(_extreme_vjp, _extreme_jvp), over_axes,
        numpy=extreme("minimum"), fresh=True,
        fold=Fold("portanet_minimum({0}, {1})", _INFINITE, helpers=(MINIMUM,)),
    ),
    Card("std", Explicit(_std_vjp, _std_jvp), over_axes, fresh=True),
    Card("var", Explicit(_var_vjp, _var_jvp), over_axes, fresh=True),
    *(
        Card(name, Constant("x", named="axis keepdims"), over_axes, fresh=True)
        for name in ("all", "any", "count_nonzero")
    ),
    *(
        Card(name, Constant("x", named="axis keepdims"), _extreme_index_batch, fresh=True)
        for name in ("argmax", "argmin")
    ),
]  # fmt: skip
