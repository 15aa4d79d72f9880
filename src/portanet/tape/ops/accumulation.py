"""Cards of products of elements, of what accumulates along an axis, and of its differences."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from portanet.errors import ShapeError
from portanet.tape.box import device_of
from portanet.tape.ops.batching import along_axis, entry_of, flat, over_axes, positive
from portanet.tape.ops.card import Card
from portanet.tape.ops.reductions import Axis, count_of, kept
from portanet.tape.ops.sums import reduction
from portanet.tape.rule import Explicit, Linear, cast, conj
from portanet.tape.signature import axes_of


def _last(xp: Any, x: Any, axis: Axis) -> Any:
    """Flatten the reduced axes into one and put it last."""
    reduced = axes_of(axis, x.ndim)
    others = tuple(i for i in range(x.ndim) if i not in reduced)
    shape = (*(x.shape[i] for i in others), count_of(x, axis))
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


def _accumulate_batch(
    trace: Any, primitive: Any, values: list[Any], batched: list[bool], kwargs: dict[str, Any]
) -> Any:
    """Go along one axis, which may be left out where there is only one."""
    x, axis = values[0], kwargs.get("axis")
    if axis is None and x.ndim > 2:
        raise ShapeError(f"{primitive.name} without axis needs x.ndim == 1: {x.ndim - 1} != 1")
    if x.ndim == 1:
        primitive.compute(entry_of(trace, primitive, x), **kwargs)
        return primitive(flat(primitive.xp, x), **{**kwargs, "axis": 1})
    axis = positive(primitive.name, 0 if axis is None else axis, x.ndim - 1)
    return primitive(x, **{**kwargs, "axis": axis + 1})


def _differences_transpose(xp: Any, g: Any, x: Any, *, axis: int = -1, n: int = 1) -> Any:
    (axis,) = axes_of(axis, x.ndim)
    if x.shape[axis] <= n:
        return xp.zeros_like(x)
    edge = tuple(n if i == axis else size for i, size in enumerate(g.shape))
    zeros = xp.zeros(edge, dtype=g.dtype, device=device_of(g))
    spread = xp.differences(xp.concat([zeros, g, zeros], axis=axis), axis=axis, n=n)
    return -spread if n % 2 else spread


CARDS = [
    Card(
        "prod", Explicit(_prod_vjp, _prod_jvp), over_axes,
        numpy=reduction("multiply"), fresh=True,
    ),
    Card("cumulative_sum", Linear(_cumulative_sum_transpose), _accumulate_batch, fresh=True),
    Card(
        "cumulative_prod", Explicit(_cumulative_prod_vjp, _cumulative_prod_jvp),
        _accumulate_batch, fresh=True,
    ),
    Card(
        "differences", Linear(_differences_transpose, arity=None), along_axis,
        body=lambda raw, x, *, axis=-1, n=1: raw.diff(x, axis=axis, n=n),
    ),
]  # fmt: skip


def _diff(
    xp: Any, x: Any, /, *, axis: int = -1, n: int = 1, prepend: Any = None, append: Any = None
) -> Any:
    if n == 0:
        return x
    ends = (_end(xp, x, prepend, axis), x, _end(xp, x, append, axis))
    parts = [part for part in ends if part is not None]
    x = parts[0] if len(parts) == 1 else xp.concat(parts, axis=axis)
    return xp.differences(x, axis=axis, n=n)


def _end(xp: Any, x: Any, end: Any, axis: int) -> Any:
    """What is put before or behind `x`: one number is spread over the other axes."""
    end = None if end is None else xp.operands.array(end)
    if end is None or end.ndim:
        return end
    along = axes_of(axis, x.ndim)
    return xp.broadcast_to(end, tuple(1 if i in along else n for i, n in enumerate(x.shape)))


COMPOSITES: dict[str, Callable[..., Any]] = {"diff": _diff}
