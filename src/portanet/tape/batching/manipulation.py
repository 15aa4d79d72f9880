"""Batching of the functions that move, repeat, reshape and join elements."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from portanet.errors import ShapeError
from portanet.tape.batching._parts import (
    Rule,
    behind,
    entry_of,
    flat,
    lift,
    of_no_size,
    positive,
    spread,
)
from portanet.tape.form import sequence


def _of_first(body: Callable[..., Any]) -> Rule:
    """Make the rule of a function of one array and options: ``body(primitive, x, rank, …)``."""

    def rule(
        trace: Any, primitive: Any, values: list[Any], batched: list[bool], kwargs: dict[str, Any]
    ) -> Any:
        x = values[0]
        return body(primitive, x, x.ndim - 1, *values[1:], **kwargs)

    return rule


def _broadcast_to(primitive: Any, x: Any, rank: int, shape: Sequence[int]) -> Any:
    shape = sequence(shape)
    return primitive(lift(primitive.xp, x, len(shape)), (x.shape[0], *shape))


def _expand_dims(primitive: Any, x: Any, rank: int, axis: Any = 0) -> Any:
    return primitive(x, axis=behind("expand_dims", axis, rank + len(sequence(axis))))


def _flip(primitive: Any, x: Any, rank: int, axis: Any = None) -> Any:
    return primitive(x, axis=behind("flip", axis, rank))


def _of_matrices(primitive: Any, x: Any, rank: int, **options: Any) -> Any:
    if rank < 2:
        raise ShapeError(f"{primitive.name} needs matrices: x.ndim >= 2: {rank} < 2")
    return primitive(x, **options)


def _triangle(
    trace: Any, primitive: Any, values: list[Any], batched: list[bool], kwargs: dict[str, Any]
) -> Any:
    (x,) = values
    if x.ndim == 2:  # NumPy takes a vector for a matrix of such rows
        n, _ = primitive.compute(entry_of(trace, primitive, x), **kwargs).shape
        x = primitive.xp.broadcast_to(x[:, None, :], (x.shape[0], n, n))
    return _of_matrices(primitive, x, x.ndim - 1, **kwargs)


def _moveaxis(primitive: Any, x: Any, rank: int, source: Any, destination: Any) -> Any:
    source, destination = (
        behind("moveaxis", sequence(axes), rank) for axes in (source, destination)
    )
    return primitive(x, source, destination)


def _permute_dims(primitive: Any, x: Any, rank: int, axes: Sequence[int]) -> Any:
    if len(axes) != rank:
        raise ShapeError(f"permute_dims: len(axes) == x.ndim: {len(axes)} != {rank}")
    return primitive(x, (0, *behind("permute_dims", axes, rank)))


def _reshape(primitive: Any, x: Any, rank: int, shape: Any, **options: Any) -> Any:
    shape = sequence(shape)
    if shape.count(-1) == 1:
        known = math.prod(n for n in shape if n != -1)
        size = math.prod(x.shape[1:])
        if known and size % known == 0:
            shape = tuple(size // known if n == -1 else n for n in shape)
    return primitive(x, (x.shape[0], *shape), **options)


def _repeat(
    trace: Any, primitive: Any, values: list[Any], batched: list[bool], kwargs: dict[str, Any]
) -> Any:
    if batched[1]:
        return of_no_size(trace, primitive, values, batched, kwargs)
    (x, repeats), axis = values, kwargs.get("axis")
    if x.ndim == 1:
        primitive.compute(entry_of(trace, primitive, x), repeats, **kwargs)
    if axis is None or x.ndim == 1:
        return primitive(flat(primitive.xp, x), repeats, axis=1)
    return primitive(x, repeats, axis=behind("repeat", axis, x.ndim - 1))


def _roll(primitive: Any, x: Any, rank: int, shift: Any, *, axis: Any = None) -> Any:
    xp = primitive.xp
    if axis is None:
        return xp.reshape(primitive(flat(xp, x), shift, axis=1), x.shape)
    return primitive(x, shift, axis=behind("roll", axis, rank))


def _squeeze(primitive: Any, x: Any, rank: int, axis: Any = None) -> Any:
    if axis is None:
        axis = tuple(i for i, n in enumerate(x.shape[1:]) if n == 1)
    return primitive(x, axis=behind("squeeze", axis, rank))


def _tile(primitive: Any, x: Any, rank: int, repetitions: Sequence[int]) -> Any:
    repetitions = sequence(repetitions)
    top = max(rank, len(repetitions))
    counts = (*(1,) * (top - len(repetitions)), *repetitions)
    return primitive(lift(primitive.xp, x, top), (1, *counts))


def _concat(
    trace: Any, primitive: Any, values: list[Any], batched: list[bool], kwargs: dict[str, Any]
) -> Any:
    xp, axis = primitive.xp, kwargs["axis"]
    parts = [spread(xp, x, own, trace.size) for x, own in zip(values, batched, strict=True)]
    if axis is None:
        return primitive(*(flat(xp, x) for x in parts), axis=1)
    return primitive(*parts, axis=behind("concat", axis, parts[0].ndim - 1))


def _stack(
    trace: Any, primitive: Any, values: list[Any], batched: list[bool], kwargs: dict[str, Any]
) -> Any:
    parts = [
        spread(primitive.xp, x, own, trace.size) for x, own in zip(values, batched, strict=True)
    ]
    return primitive(*parts, axis=positive("stack", kwargs["axis"], parts[0].ndim) + 1)


RULES: dict[str, Rule] = {
    "broadcast_to": _of_first(_broadcast_to),
    "concat_arrays": _concat,
    "expand_dims": _of_first(_expand_dims),
    "flip": _of_first(_flip),
    "matrix_transpose": _of_first(_of_matrices),
    "moveaxis": _of_first(_moveaxis),
    "permute_dims": _of_first(_permute_dims),
    "repeat": _repeat,
    "reshape": _of_first(_reshape),
    "roll": _of_first(_roll),
    "squeeze": _of_first(_squeeze),
    "stack_arrays": _stack,
    "tile": _of_first(_tile),
    "tril": _triangle,
    "triu": _triangle,
}
