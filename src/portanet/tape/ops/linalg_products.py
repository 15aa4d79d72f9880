"""Cards of the products of vectors and matrices beside ``matmul``, and of their diagonals."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from portanet.tape.box import at_hand
from portanet.tape.ops.batching import entries_of, flat, lift, positive, rank_of, spread
from portanet.tape.ops.card import Card
from portanet.tape.ops.linalg_helpers import empty_stack, identity
from portanet.tape.rule import Multilinear, conj, fit


def _cross_first(xp: Any, g: Any, a: Any, b: Any, *, axis: int = -1) -> Any:
    g = _of_three(xp, g, a, b, axis)
    return _fit_along(xp, xp.linalg.cross(conj(xp, b), g, axis=axis), a, axis)


def _cross_second(xp: Any, g: Any, a: Any, b: Any, *, axis: int = -1) -> Any:
    g = _of_three(xp, g, a, b, axis)
    return _fit_along(xp, xp.linalg.cross(g, conj(xp, a), axis=axis), b, axis)


def _of_three(xp: Any, g: Any, a: Any, b: Any, axis: int) -> Any:
    """Return the cotangent of a vector where NumPy gives its third entry alone."""
    if a.shape[axis] == 3 or b.shape[axis] == 3:
        return g
    g = xp.expand_dims(g, axis=axis)
    none = xp.zeros_like(g)
    return xp.concat([none, none, g], axis=axis)


def _fit_along(xp: Any, g: Any, x: Any, axis: int) -> Any:
    """Undo the broadcasting of all axes but one, which is `axis` of either array."""
    size = x.shape[axis]  # NumPy takes two entries for three of which the last is 0
    fitted = fit(xp, xp.moveaxis(g, axis, -1)[..., :size], xp.moveaxis(x, axis, -1))
    return xp.moveaxis(fitted, -1, axis)


def _outer_first(xp: Any, g: Any, a: Any, b: Any) -> Any:
    return xp.reshape(fit(xp, g @ conj(xp, _flat(xp, b)), _flat(xp, a)), a.shape)


def _outer_second(xp: Any, g: Any, a: Any, b: Any) -> Any:
    return xp.reshape(fit(xp, g.mT @ conj(xp, _flat(xp, a)), _flat(xp, b)), b.shape)


def _flat(xp: Any, x: Any) -> Any:
    return x if x.ndim == 1 else xp.reshape(x, (-1,))


def _cross_batch(
    trace: Any, primitive: Any, values: list[Any], batched: list[bool], kwargs: dict[str, Any]
) -> Any:
    """Move the vectors to the last axis, so that the batch axis is in front of every other."""
    xp, axis = primitive.xp, kwargs.get("axis", -1)
    ranks = [rank_of(x, own) for x, own in zip(values, batched, strict=True)]
    stacks = [
        xp.moveaxis(spread(xp, x, own, trace.size), positive("cross", axis, rank) + 1, -1)
        for x, own, rank in zip(values, batched, ranks, strict=True)
    ]
    product = primitive(*(lift(xp, x, max(ranks)) for x in stacks), axis=-1)
    return xp.moveaxis(product, -1, positive("cross", axis, max(ranks)) + 1)


def _outer_batch(
    trace: Any, primitive: Any, values: list[Any], batched: list[bool], kwargs: dict[str, Any]
) -> Any:
    xp = primitive.xp
    entries = entries_of(trace, primitive, values, batched)
    primitive.compute(*(x[:1] if x.ndim == 1 else x for x in entries))  # refuses what it must
    a, b = (
        flat(xp, spread(xp, x, own, trace.size)) for x, own in zip(values, batched, strict=True)
    )
    return xp.expand_dims(a, axis=-1) * xp.expand_dims(b, axis=-2)


CARDS = [
    Card("linalg.cross", Multilinear(_cross_first, _cross_second), _cross_batch, fresh=True),
    Card("linalg.outer", Multilinear(_outer_first, _outer_second), _outer_batch, fresh=True),
]


def _diagonal(xp: Any, x: Any, /, *, offset: int = 0) -> Any:
    xp.raw.linalg.diagonal(at_hand(x), offset=offset)  # a view, or a refusal
    *batch, n, m = x.shape
    size = max(min(n, m - offset) if offset >= 0 else min(n + offset, m), 0)
    start = offset if offset >= 0 else -offset * m
    flat = xp.reshape(x, (*batch, n * m))
    if size == 0:
        return flat[..., :0]
    return flat[..., start : start + (size - 1) * (m + 1) + 1 : m + 1]


def _trace(xp: Any, x: Any, /, *, offset: int = 0, dtype: Any = None) -> Any:
    xp.raw.linalg.trace(empty_stack(xp, x), offset=offset, dtype=dtype)
    return xp.sum(xp.linalg.diagonal(x, offset=offset), axis=-1, dtype=dtype)


def _matrix_power(xp: Any, x: Any, n: int, /) -> Any:
    xp.raw.linalg.matrix_power(empty_stack(xp, x), n)
    if n == 0:
        return xp.broadcast_to(identity(xp, x, x.shape[-1]), x.shape)
    square = xp.linalg.inv(x) if n < 0 else x
    n, result = abs(n), None
    while True:
        if n % 2:
            result = square if result is None else result @ square
        n //= 2
        if n == 0:
            return result
        square = square @ square


COMPOSITES: dict[str, Callable[..., Any]] = {
    "linalg.diagonal": _diagonal,
    "linalg.matrix_power": _matrix_power,
    "linalg.trace": _trace,
}
