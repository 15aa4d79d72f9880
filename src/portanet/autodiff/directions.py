"""Many directions in one run: the blocks of a Jacobian by columns and by rows."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from portanet.interface import Backend

Blocks = list[list[Any]]


class Spans:
    """Arrays as one long vector: where each begins, its shape and dtype.

    The first `shared` axes are not counted: they have one direction together.
    """

    def __init__(self, backend: Backend, arrays: Sequence[Any], shared: int = 0) -> None:
        self.shapes = [tuple(x.shape) for x in arrays]
        self.shared = [shape[:shared] for shape in self.shapes]
        self.own = [shape[shared:] for shape in self.shapes]
        self.dtypes = [x.dtype for x in arrays]
        self.devices = [backend.device_of(x) for x in arrays]
        self.sizes = [math.prod(shape) for shape in self.own]
        self.starts = [sum(self.sizes[:i]) for i in range(len(self.sizes))]
        self.size = sum(self.sizes)

    def basis(self, xp: Any, start: int, stop: int) -> list[Any]:
        """Return unit vectors `start` to `stop`, a row each, in the shapes of the arrays."""
        count, parts = stop - start, []
        for i, own in enumerate(self.own):
            rows = xp.eye(
                count,
                self.sizes[i],
                k=start - self.starts[i],
                dtype=self.dtypes[i],
                device=self.devices[i],
            )
            if self.shared[i]:
                rows = xp.reshape(rows, (count, *(1,) * len(self.shared[i]), *own))
                rows = xp.broadcast_to(rows, (count, *self.shapes[i]))
            elif len(own) != 1:
                rows = xp.reshape(rows, (count, *own))
            parts.append(rows)
        return parts

    def cut(self, rows: Any, i: int) -> Any:
        """Return the rows that belong to the i-th array."""
        if len(self.sizes) == 1:
            return rows
        return rows[self.starts[i] : self.starts[i] + self.sizes[i], ...]


def zeros(backend: Backend, targets: Spans, sources: Spans) -> Blocks:
    """Return blocks of nothing but zeros."""
    return [
        [_zero(backend.xp, targets, i, sources, j) for j in range(len(sources.sizes))]
        for i in range(len(targets.sizes))
    ]


def _zero(xp: Any, targets: Spans, i: int, sources: Spans, j: int) -> Any:
    return xp.zeros(
        (*targets.shapes[i], *sources.own[j]), dtype=targets.dtypes[i], device=targets.devices[i]
    )


def by_rows(
    backend: Backend, pull: Callable[..., Any], targets: Spans, sources: Spans, chunk: int | None
) -> Blocks:
    """Return the blocks by reverse mode: all cotangents go back together."""
    pulled = _all(backend, lambda *seeds: pull(list(seeds)), targets, chunk)
    blocks: Blocks = []
    for i in range(len(targets.sizes)):
        row = []
        for j, rows in enumerate(pulled):
            if rows is None:
                row.append(_zero(backend.xp, targets, i, sources, j))
                continue
            block = targets.cut(rows, i)
            if targets.shared[i]:
                block = backend.xp.moveaxis(block, 0, len(targets.shared[i]))
            row.append(_shaped(backend.xp, block, targets, i, sources, j))
        blocks.append(row)
    return blocks


def by_columns(
    backend: Backend,
    jvp: Callable[..., Any],
    function: Callable[..., Any],
    inputs: Sequence[Any],
    sources: Spans,
    chunk: int | None,
) -> Blocks:
    """Return the blocks by forward mode: all tangents go through `function` together."""
    found: list[Spans] = []

    def push(*tangents: Any) -> list[Any]:
        outputs, directions = jvp(function, inputs, tangents)
        found[:] = [Spans(backend, outputs, len(sources.shared[0]))]
        return directions

    pushed = _all(backend, push, sources, chunk)
    targets = found[0]
    blocks: Blocks = []
    for i, columns in enumerate(pushed):
        row = []
        for j in range(len(sources.sizes)):
            if columns is None:
                row.append(_zero(backend.xp, targets, i, sources, j))
                continue
            block = backend.xp.moveaxis(sources.cut(columns, j), 0, -1)
            row.append(_shaped(backend.xp, block, targets, i, sources, j))
        blocks.append(row)
    return blocks


def _shaped(xp: Any, block: Any, targets: Spans, i: int, sources: Spans, j: int) -> Any:
    shape = (*targets.shapes[i], *sources.own[j])
    if tuple(block.shape) != shape:
        block = xp.reshape(block, shape)
    return block if block.dtype == targets.dtypes[i] else xp.astype(block, targets.dtypes[i])


def _all(
    backend: Backend, run: Callable[..., Sequence[Any]], spans: Spans, chunk: int | None
) -> list[Any]:
    """Run every unit vector of `spans` through `run`, at most `chunk` of them together."""
    xp, step = backend.xp, chunk or spans.size
    parts = []
    for start in range(0, spans.size, step):
        seeds = spans.basis(xp, start, min(start + step, spans.size))
        parts.append(backend.vmap(run, seeds, [0] * len(seeds)))
    if len(parts) == 1:
        return parts[0]
    return [
        None if rows[0] is None else xp.concat(list(rows), axis=0)
        for rows in zip(*parts, strict=True)
    ]
