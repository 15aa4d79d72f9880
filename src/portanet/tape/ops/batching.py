"""How an operation runs on a whole batch at once: what the batching rules on the cards are made of.

A rule is called as ``rule(trace, primitive, values, batched, kwargs)``: `values` are the positional
arguments, those marked in `batched` with the batch axis first; ``trace.size`` is its length. It
returns the result with the batch axis first (a tuple if the function returns one), or `Finished`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from portanet.errors import ShapeError, TracedValueError
from portanet.tape.box import at_hand, device_of
from portanet.tape.signature import sequence

Axis = int | Sequence[int] | None
Batching = Callable[..., Any]


class Finished(NamedTuple):
    """A result that needs no box of the batch: the same for every entry, or boxed already."""

    value: Any


def rank_of(x: Any, own: bool) -> int:
    """The number of axes of one entry; 0 for numbers."""
    return getattr(x, "ndim", 0) - own


def lift(xp: Any, x: Any, rank: int) -> Any:
    """Put axes of size 1 behind the batch axis of `x` until an entry has `rank` axes."""
    missing = rank + 1 - x.ndim
    if missing <= 0:
        return x
    return xp.reshape(x, (x.shape[0], *(1,) * missing, *x.shape[1:]))


def copies(xp: Any, x: Any, size: int) -> Any:
    """Return `size` copies of `x` along a new first axis."""
    if size == 0:
        return xp.zeros((0, *x.shape), dtype=x.dtype, device=device_of(x))
    return xp.stack([x] * size)


def spread(xp: Any, x: Any, own: bool, size: int) -> Any:
    """Give `x` the batch axis if it has none."""
    return x if own else xp.broadcast_to(x, (size, *x.shape))


def flat(xp: Any, x: Any) -> Any:
    """Flatten each entry."""
    return xp.reshape(x, (x.shape[0], math.prod(x.shape[1:])))


def positive(name: str, axis: int, rank: int) -> int:
    """Return the axis of an entry counted from its first, refusing one that it does not have."""
    if not -rank <= axis < rank:
        raise ShapeError(f"{name}: axis {axis} is out of range for an array of {rank} axes")
    return axis % rank


def behind(name: str, axis: Axis, rank: int) -> Any:
    """Return the axis or axes of an entry as axes of the whole batch; None means all of them."""
    if axis is None:
        return tuple(range(1, rank + 1))
    axes = tuple(positive(name, a, rank) + 1 for a in sequence(axis))
    return axes if isinstance(axis, tuple | list) else axes[0]


def entry_of(trace: Any, primitive: Any, x: Any) -> Any:
    """Return the plain array of one entry, so that the library can refuse what it does not take."""
    return at_hand(primitive.xp.batch_box(x, trace, None))


def entries_of(trace: Any, primitive: Any, values: list[Any], batched: list[bool]) -> list[Any]:
    """Return the plain arrays of one entry among all arguments."""
    return [
        entry_of(trace, primitive, x) if own else at_hand(x)
        for x, own in zip(values, batched, strict=True)
    ]


def map_results(function: Callable[..., Any], *results: Any) -> Any:
    """Apply `function` to the result of a primitive, or to each part of a tuple of them."""
    first = results[0]
    if not isinstance(first, tuple):
        return function(*results)
    parts = [function(*row) for row in zip(*results, strict=True)]
    return type(first)(*parts) if hasattr(first, "_fields") else tuple(parts)


def loop(
    trace: Any, primitive: Any, values: list[Any], batched: list[bool], kwargs: dict[str, Any]
) -> Any:
    """Run the primitive entry by entry: right for every function, and slow."""
    xp = primitive.xp
    if trace.size == 0:
        sample = [
            xp.zeros(x.shape[1:], dtype=x.dtype, device=device_of(x)) if own else x
            for x, own in zip(values, batched, strict=True)
        ]
        return map_results(lambda y: copies(xp, y, 0), primitive(*sample, **kwargs))
    results = [
        primitive(
            *(x[i, ...] if own else x for x, own in zip(values, batched, strict=True)), **kwargs
        )
        for i in range(trace.size)
    ]
    return map_results(lambda *parts: xp.stack(parts), *results)


def of_no_size(
    trace: Any, primitive: Any, values: list[Any], batched: list[bool], kwargs: dict[str, Any]
) -> Any:
    """A function whose result has as many elements as values decide."""
    raise TracedValueError(
        f"{primitive.name}: the shape of the result would be another one in every entry of the "
        "batch: use a mask with xp.where, or leave this out of vmap"
    )


def natural(
    trace: Any, primitive: Any, values: list[Any], batched: list[bool], kwargs: dict[str, Any]
) -> Any:
    """A function that takes any number of leading axes."""
    return primitive(*values, **kwargs)


def elementwise(
    trace: Any, primitive: Any, values: list[Any], batched: list[bool], kwargs: dict[str, Any]
) -> Any:
    """Let the batch axis stay in front of every axis that an entry is broadcast to."""
    if len(values) > 1:
        ranks = [rank_of(x, own) for x, own in zip(values, batched, strict=True)]
        top = max(ranks)
        if min(ranks) != top:
            xp = primitive.xp
            values = [
                lift(xp, x, top) if own else x for x, own in zip(values, batched, strict=True)
            ]
    return primitive(*values, **kwargs)


def through(body: Callable[..., Any]) -> Batching:
    """Make the rule of a function that can be written with others: ``body(xp, *args, **options)``.

    The body runs on the boxes of the batch.
    """

    def rule(
        trace: Any, primitive: Any, values: list[Any], batched: list[bool], kwargs: dict[str, Any]
    ) -> Finished:
        xp = primitive.xp
        args = [
            xp.batch_box(x, trace, None) if own else x
            for x, own in zip(values, batched, strict=True)
        ]
        return Finished(body(xp, *args, **kwargs))

    return rule


def samples(count: int) -> Batching:
    """Make the rule of a function whose first `count` arguments have an axis of samples in front.

    A batch of samples is more samples. Where other arguments differ from entry to entry, they run
    one by one.
    """

    def rule(
        trace: Any, primitive: Any, values: list[Any], batched: list[bool], kwargs: dict[str, Any]
    ) -> Any:
        if trace.size == 0 or any(batched[count:]):
            return loop(trace, primitive, values, batched, kwargs)
        xp, size = primitive.xp, trace.size
        merged = []
        for x, own in zip(values[:count], batched[:count], strict=True):
            x = spread(xp, x, own, size)
            merged.append(xp.reshape(x, (size * x.shape[1], *x.shape[2:])))
        y = primitive(*merged, *values[count:], **kwargs)
        return xp.reshape(y, (size, y.shape[0] // size, *y.shape[1:]))

    return rule


def of_first(body: Callable[..., Any]) -> Batching:
    """Make the rule of a function of one array and options: ``body(primitive, x, rank, …)``."""

    def rule(
        trace: Any, primitive: Any, values: list[Any], batched: list[bool], kwargs: dict[str, Any]
    ) -> Any:
        x = values[0]
        return body(primitive, x, x.ndim - 1, *values[1:], **kwargs)

    return rule


def over_axes(
    trace: Any, primitive: Any, values: list[Any], batched: list[bool], kwargs: dict[str, Any]
) -> Any:
    """Reduce over any axes of the entries; without `axis` over all."""
    x, axis = values[0], kwargs.get("axis")
    if x.ndim == 1:
        primitive.compute(entry_of(trace, primitive, x), **kwargs)
        return primitive(
            primitive.xp.expand_dims(x, axis=1), **{**kwargs, "axis": 1, "keepdims": False}
        )
    return primitive(x, **{**kwargs, "axis": behind(primitive.name, axis, x.ndim - 1)})


def along_axis(
    trace: Any, primitive: Any, values: list[Any], batched: list[bool], kwargs: dict[str, Any]
) -> Any:
    """Go along one axis, the last by default, given by position or by name; None flattens."""
    x, options = values[0], dict(kwargs)
    axis = values[1] if len(values) > 1 else options.pop("axis", -1)
    if axis is None:
        primitive.compute(entry_of(trace, primitive, x), **kwargs)
        return primitive(flat(primitive.xp, x), **{**options, "axis": 1})
    options["axis"] = positive(primitive.name, axis, x.ndim - 1) + 1
    return primitive(x, **options)
