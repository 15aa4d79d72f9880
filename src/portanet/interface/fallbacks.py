"""What `vjp` and the namespace of a library give where it has nothing better."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

Array = Any
Function = Callable[..., Sequence[Array]]


class _Library(Protocol):
    """What is asked of a backend here."""

    @property
    def xp(self) -> Any: ...

    def is_floating(self, dtype: Any, /) -> bool: ...

    def device_of(self, x: Array, /) -> Any: ...

    def vjp(
        self, function: Function, primals: Sequence[Array], /
    ) -> tuple[list[Array], Callable[[Sequence[Array | None]], list[Array | None]]]: ...


def linearize(
    backend: _Library, function: Function, primals: Sequence[Array]
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
    backend: _Library, function: Function, arrays: Sequence[Array], axes: Sequence[int | None]
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


def _sample(backend: _Library, x: Array) -> Array:
    """Return one entry of zeros for a batch without entries."""
    return backend.xp.zeros((1, *x.shape[1:]), dtype=x.dtype, device=backend.device_of(x))
