"""Rules of the functions that reduce or accumulate along axes."""

from __future__ import annotations

import math
from typing import Any

from portanet.tape.form import axes_of
from portanet.tape.rule import Explicit, Linear, Rule, cast, conj, is_complex

Axis = int | tuple[int, ...] | None
_LARGEST_OF_FLOAT16 = 65504


def kept(xp: Any, y: Any, x: Any, axis: Axis, keepdims: bool) -> Any:
    """Give a reduced array the rank of `x` again, with size 1 along the reduced axes."""
    if keepdims or y.ndim == x.ndim:
        return y
    reduced = axes_of(axis, x.ndim)
    return xp.reshape(y, tuple(1 if i in reduced else n for i, n in enumerate(x.shape)))


def _spread(xp: Any, g: Any, x: Any, axis: Axis, keepdims: bool) -> Any:
    return xp.broadcast_to(kept(xp, g, x, axis, keepdims), x.shape)


def _count(x: Any, axis: Axis) -> int:
    count = 1
    for a in axes_of(axis, x.ndim):
        count *= x.shape[a]
    return count


def _sum_transpose(
    xp: Any, g: Any, x: Any, *, axis: Axis = None, dtype: Any = None, keepdims: bool = False
) -> Any:
    return cast(xp, _spread(xp, g, x, axis, keepdims), x.dtype)


def _mean_transpose(xp: Any, g: Any, x: Any, *, axis: Axis = None, keepdims: bool = False) -> Any:
    return _spread(xp, _share(g, max(_count(x, axis), 1)), x, axis, keepdims)


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
    freedom = _count(x, axis) - correction
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


def _last(xp: Any, x: Any, axis: Axis) -> Any:
    """Flatten the reduced axes into one and put it last."""
    reduced = axes_of(axis, x.ndim)
    others = tuple(i for i in range(x.ndim) if i not in reduced)
    shape = (*(x.shape[i] for i in others), _count(x, axis))
    return xp.reshape(xp.permute_dims(x, others + reduced), shape)


def _unlast(xp: Any, moved: Any, x: Any, axis: Axis) -> Any:
    reduced = axes_of(axis, x.ndim)
    order = [*(i for i in range(x.ndim) if i not in reduced), *reduced]
    moved = xp.reshape(moved, tuple(x.shape[i] for i in order))
    return xp.permute_dims(moved, tuple(order.index(i) for i in range(x.ndim)))


def _products_before(xp: Any, x: Any) -> Any:
    if x.shape[-1] == 0:
        return x
    ones = xp.ones_like(x[..., :1])
    return xp.cumulative_prod(xp.concat([ones, x[..., :-1]], axis=-1), axis=-1)


def products_of_others(xp: Any, x: Any) -> Any:
    """For each element along the last axis the product of all others, right also for zeros."""
    if x.shape[-1] == 0:
        return x
    after = _products_before(xp, xp.flip(x, axis=-1))
    return _products_before(xp, x) * xp.flip(after, axis=-1)


def _prod_vjp(
    xp: Any, g: Any, y: Any, x: Any, *, axis: Axis = None, dtype: Any = None,
    keepdims: bool = False,
) -> Any:  # fmt: skip
    others = _unlast(xp, products_of_others(xp, _last(xp, x, axis)), x, axis)
    return cast(xp, kept(xp, g, x, axis, keepdims) * conj(xp, others), x.dtype)


def _prod_jvp(
    xp: Any, t: Any, y: Any, x: Any, *, axis: Axis = None, dtype: Any = None,
    keepdims: bool = False,
) -> Any:  # fmt: skip
    others = _unlast(xp, products_of_others(xp, _last(xp, x, axis)), x, axis)
    return cast(xp, xp.sum(t * others, axis=axis, keepdims=keepdims), y.dtype)


def _axis_of(x: Any, axis: int | None) -> int:
    return 0 if axis is None or x.ndim == 0 else axes_of(axis, x.ndim)[0]


def _cumulative_sum_transpose(
    xp: Any, g: Any, x: Any, *, axis: int | None = None, dtype: Any = None,
    include_initial: bool = False,
) -> Any:  # fmt: skip
    axis = _axis_of(x, axis)
    if include_initial:
        g = g[(*(slice(None),) * axis, slice(1, None), ...)]
    back = xp.flip(xp.cumulative_sum(xp.flip(g, axis=axis), axis=axis), axis=axis)
    return cast(xp, back if x.ndim else xp.reshape(back, ()), x.dtype)


def _recurrence(xp: Any, a: Any, b: Any) -> Any:
    """Solve ``s[i] = b[i] + a[i] s[i - 1]`` along the last axis in log2(n) doublings."""
    n, step = b.shape[-1], 1
    while step < n:
        b = xp.concat([b[..., :step], b[..., step:] + a[..., step:] * b[..., :-step]], axis=-1)
        a = xp.concat([a[..., :step], a[..., step:] * a[..., :-step]], axis=-1)
        step *= 2
    return b


def _cumulative_prod_vjp(
    xp: Any, g: Any, y: Any, x: Any, *, axis: int | None = None, dtype: Any = None,
    include_initial: bool = False,
) -> Any:  # fmt: skip
    axis, shape = _axis_of(x, axis), x.shape
    if 0 in shape:
        return xp.zeros_like(x)
    x = x if shape else xp.reshape(x, (1,))
    g, wide = xp.moveaxis(g, axis, -1), xp.moveaxis(cast(xp, x, y.dtype), axis, -1)
    if include_initial:
        g = g[..., 1:]
    wide = conj(xp, wide)
    following = xp.concat([wide[..., 1:], wide[..., :1]], axis=-1)
    later = xp.flip(_recurrence(xp, xp.flip(following, axis=-1), xp.flip(g, axis=-1)), axis=-1)
    back = xp.moveaxis(_products_before(xp, wide) * later, -1, axis)
    return cast(xp, back if shape else xp.reshape(back, ()), x.dtype)


def _cumulative_prod_jvp(
    xp: Any, t: Any, y: Any, x: Any, *, axis: int | None = None, dtype: Any = None,
    include_initial: bool = False,
) -> Any:  # fmt: skip
    axis = _axis_of(x, axis)
    if x.ndim == 0:
        t, x = xp.reshape(t, (1,)), xp.reshape(x, (1,))
    t, wide = (xp.moveaxis(cast(xp, part, y.dtype), axis, -1) for part in (t, x))
    moved = _recurrence(xp, wide, t * _products_before(xp, wide))
    if include_initial:
        start = xp.zeros(
            (*moved.shape[:-1], 1), dtype=moved.dtype, device=getattr(moved, "device", None)
        )
        moved = xp.concat([start, moved], axis=-1)
    return xp.moveaxis(moved, -1, axis)


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


RULES: dict[str, Rule] = {
    "sum": Linear(_sum_transpose),
    "mean": Linear(_mean_transpose),
    "max": Explicit(_extreme_vjp, _extreme_jvp),
    "min": Explicit(_extreme_vjp, _extreme_jvp),
    "prod": Explicit(_prod_vjp, _prod_jvp),
    "std": Explicit(_std_vjp, _std_jvp),
    "var": Explicit(_var_vjp, _var_jvp),
    "cumulative_sum": Linear(_cumulative_sum_transpose),
    "cumulative_prod": Explicit(_cumulative_prod_vjp, _cumulative_prod_jvp),
}
