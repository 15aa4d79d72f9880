"""Cards of the functions that put arrays together, and what spreads them over each other."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from portanet.tape.box import at_hand
from portanet.tape.ops.batching import behind, flat, positive, spread
from portanet.tape.ops.card import Card, Role
from portanet.tape.ops.form import Form
from portanet.tape.rule import Rule, cast
from portanet.tape.signature import axes_of


class _Joined(Rule):
    """A function of many arrays, linear in all of them together: ``concat`` and ``stack``.

    Parameters
    ----------
    part : callable
        ``part(xp, g, arrays, i, axis)`` cuts the cotangent of the i-th array out of `g`.
    """

    def __init__(self, part: Callable[..., Any]) -> None:
        self.part = part

    def vjp(self, primitive, cotangent, result, args, kwargs, argnums):
        xp = primitive.xp
        return [
            cast(xp, self.part(xp, cotangent, args, i, kwargs["axis"]), args[i].dtype)
            for i in argnums
        ]

    def jvp(self, primitive, tangents, result, args, kwargs, argnums):
        xp = primitive.xp
        given = dict(zip(argnums, tangents, strict=True))
        parts = [given[i] if i in given else xp.zeros_like(x) for i, x in enumerate(args)]
        return primitive(*parts, **kwargs)


def _concat_part(xp: Any, g: Any, arrays: Sequence[Any], i: int, axis: Any) -> Any:
    if axis is None:
        start = sum(math.prod(x.shape) for x in arrays[:i])
        return xp.reshape(g[start : start + math.prod(arrays[i].shape)], arrays[i].shape)
    (axis,) = axes_of(axis, g.ndim)
    start = sum(x.shape[axis] for x in arrays[:i])
    window = slice(start, start + arrays[i].shape[axis])
    return g[(*(slice(None),) * axis, window, ...)]


def _stack_part(xp: Any, g: Any, arrays: Sequence[Any], i: int, axis: int) -> Any:
    return g[(*(slice(None),) * axes_of(axis, g.ndim)[0], i, ...)]


def _concat_batch(
    trace: Any, primitive: Any, values: list[Any], batched: list[bool], kwargs: dict[str, Any]
) -> Any:
    xp, axis = primitive.xp, kwargs["axis"]
    parts = [spread(xp, x, own, trace.size) for x, own in zip(values, batched, strict=True)]
    if axis is None:
        return primitive(*(flat(xp, x) for x in parts), axis=1)
    return primitive(*parts, axis=behind("concat", axis, parts[0].ndim - 1))


def _stack_batch(
    trace: Any, primitive: Any, values: list[Any], batched: list[bool], kwargs: dict[str, Any]
) -> Any:
    parts = [
        spread(primitive.xp, x, own, trace.size) for x, own in zip(values, batched, strict=True)
    ]
    return primitive(*parts, axis=positive("stack", kwargs["axis"], parts[0].ndim) + 1)


def _concat_form(call: Any, *arrays: Any, axis: Any) -> Form | None:
    if axis is None:
        return None
    names = ", ".join(f"{{{i}}}" for i in range(len(arrays)))
    return Form(
        f"{{np.concatenate}}(({names},), {axis}, {{out}})",
        f"{{np.concatenate}}(({names},), {axis})",
    )


def _stack_form(call: Any, *arrays: Any, axis: int) -> Form:
    before = ":, " * (axis % len(call.result.shape))
    return Form("; ".join(f"{{out}}[{before}{i}] = {{{i}}}" for i in range(len(arrays))))


CARDS = [
    Card(
        "concat_arrays", _Joined(_concat_part), _concat_batch, numpy=_concat_form,
        body=lambda raw, *arrays, axis: raw.concat(arrays, axis=axis),
        fresh=True, role=Role.JOIN,
    ),
    Card(
        "stack_arrays", _Joined(_stack_part), _stack_batch, numpy=_stack_form,
        body=lambda raw, *arrays, axis: raw.stack(arrays, axis=axis), fresh=True,
    ),
]  # fmt: skip


def _concat(xp: Any, arrays: Sequence[Any], /, *, axis: int | None = 0) -> Any:
    return xp.concat_arrays(*map(xp.operands.array, arrays), axis=axis)


def _stack(xp: Any, arrays: Sequence[Any], /, *, axis: int = 0) -> Any:
    return xp.stack_arrays(*map(xp.operands.array, arrays), axis=axis)


def _unstack(xp: Any, x: Any, /, *, axis: int = 0) -> tuple[Any, ...]:
    x = xp.moveaxis(x, axis, 0)
    return tuple(x[i, ...] for i in range(x.shape[0]))


def _broadcast_shapes(*shapes: tuple[int, ...]) -> tuple[int, ...]:
    rank = max(map(len, shapes))
    padded = [(1,) * (rank - len(shape)) + shape for shape in shapes]
    return tuple(next((n for n in column if n != 1), 1) for column in zip(*padded, strict=True))


def _broadcast_arrays(xp: Any, *arrays: Any) -> Any:
    arrays = tuple(map(xp.operands.array, arrays))
    shape = _broadcast_shapes(*(x.shape for x in arrays))
    return type(xp.raw.broadcast_arrays(at_hand(arrays[0])))(
        xp.broadcast_to(x, shape) for x in arrays
    )


def _meshgrid(xp: Any, *arrays: Any, indexing: str = "xy") -> Any:
    arrays = tuple(map(xp.operands.array, arrays))
    firsts = (x[: min(1, x.shape[0])] if x.ndim == 1 else x for x in map(at_hand, arrays))
    kind = type(xp.raw.meshgrid(*firsts, indexing=indexing))  # which refuses what it does not take
    rank = len(arrays)
    axes = list(range(rank))
    if indexing == "xy" and rank > 1:
        axes[:2] = [1, 0]
    sizes = [1] * rank
    for axis, x in zip(axes, arrays, strict=True):
        sizes[axis] = math.prod(x.shape)
    return kind(
        xp.broadcast_to(
            xp.reshape(x, tuple(sizes[axis] if i == axis else 1 for i in range(rank))), tuple(sizes)
        )
        for axis, x in zip(axes, arrays, strict=True)
    )


COMPOSITES: dict[str, Callable[..., Any]] = {
    "broadcast_arrays": _broadcast_arrays,
    "concat": _concat,
    "meshgrid": _meshgrid,
    "stack": _stack,
    "unstack": _unstack,
}
