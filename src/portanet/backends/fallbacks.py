"""What `vjp` and the namespace of a library give where it has nothing better."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from portanet import tape

if TYPE_CHECKING:
    from portanet.backends.base import Backend

Array = Any
Function = Callable[..., Sequence[Array]]


def linearize(
    backend: Backend, function: Function, primals: Sequence[Array]
) -> tuple[list[Array], Callable[[Sequence[Array]], list[Array | None]]]:
    """See `Backend.linearize`. The pullback is linear; its own pullback is the map wanted."""
    outputs, pullback = backend.vjp(function, primals)
    smooth = [i for i, y in enumerate(outputs) if backend.is_floating(y.dtype)]

    def pulled(*cotangents: Array) -> list[Array]:
        seeds: list[Array | None] = [None] * len(outputs)
        for i, g in zip(smooth, cotangents, strict=True):
            seeds[i] = g
        pairs = zip(pullback(seeds), primals, strict=True)
        return [backend.xp.zeros_like(x) if g is None else g for g, x in pairs]

    push = backend.vjp(pulled, [backend.xp.zeros_like(outputs[i]) for i in smooth])[1]

    def tangent_map(tangents: Sequence[Array]) -> list[Array | None]:
        parts = dict(zip(smooth, push(tangents), strict=True))
        return [parts.get(i) for i in range(len(outputs))]

    return outputs, tangent_map


def vmap(
    backend: Backend, function: Function, arrays: Sequence[Array], axes: Sequence[int | None]
) -> list[Array | None]:
    """See `Backend.vmap`: entry by entry."""
    xp = backend.xp
    moved = [
        x if axis is None else xp.moveaxis(x, axis, 0) for x, axis in zip(arrays, axes, strict=True)
    ]
    size = next(x.shape[0] for x, axis in zip(moved, axes, strict=True) if axis is not None)
    empty = size == 0
    if empty:
        moved = [
            x if axis is None else _sample(backend, x) for x, axis in zip(moved, axes, strict=True)
        ]
    rows = [
        function(*(x if axis is None else x[i, ...] for x, axis in zip(moved, axes, strict=True)))
        for i in range(max(size, 1))
    ]
    stacks = [None if ys[0] is None else xp.stack(ys) for ys in zip(*rows, strict=True)]
    return [y if y is None or not empty else y[:0, ...] for y in stacks]


def _sample(backend: Backend, x: Array) -> Array:
    """Return one entry of zeros for a batch without entries."""
    return backend.xp.zeros((1, *x.shape[1:]), dtype=x.dtype, device=backend.device_of(x))


def scan(
    step: Callable[..., tuple[list[Array], list[Array]]],
    carry: Sequence[Array],
    xs: Sequence[Array],
    length: int,
    reverse: bool,
) -> tuple[list[Array], list[Array]]:
    """See `Backend.scan`: a loop of Python."""
    from portanet.backends import array_namespace

    if length == 0:
        return list(carry), [_none_of(y) for y in step(carry, [_sample_row(x) for x in xs])[1]]
    columns = [unstack(x) for x in xs]
    order = range(length - 1, -1, -1) if reverse else range(length)
    rows = []
    for i in order:
        carry, y = step(carry, [column[i] for column in columns])
        rows.append(y)
    if reverse:
        rows.reverse()
    return list(carry), [array_namespace(*ys).stack(ys) for ys in zip(*rows, strict=True)]


def unstack(x: Array) -> Sequence[Array]:
    """Return the entries of `x` along axis 0, whose cotangents are stacked once."""
    from portanet.backends import backend_of

    backend = backend_of(x)
    xp = backend.xp
    if not isinstance(x, tape.Box) or not backend.is_floating(x.dtype):
        return xp.unstack(x)

    def value(x: Array) -> list[Array]:
        return list(xp.unstack(x))

    def stacked(parts: Sequence[Array | None], rows: Sequence[Array]) -> Array:
        pairs = zip(parts, rows, strict=True)
        return xp.stack([xp.zeros_like(y) if g is None else g for g, y in pairs])

    operation = tape.Operation(
        "unstack",
        value,
        lambda x: (value(x), []),
        lambda arrays, rows, kept, cotangents: [stacked(cotangents, rows)],
        lambda arrays, rows, kept, tangents: value(tangents[0]),
    )
    return backend.custom(operation, [x])


def _sample_row(x: Array) -> Array:
    from portanet.backends import backend_of

    backend = backend_of(x)
    return backend.xp.zeros(x.shape[1:], dtype=x.dtype, device=backend.device_of(x))


def _none_of(y: Array) -> Array:
    from portanet.backends import backend_of

    backend = backend_of(y)
    return backend.xp.zeros((0, *y.shape), dtype=y.dtype, device=backend.device_of(y))
