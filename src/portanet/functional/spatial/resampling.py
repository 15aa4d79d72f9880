"""Weighted sums of the entries along an axis, the same ones for all others."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from portanet.functional.kernel import kernel
from portanet.interface import array_namespace, device_of
from portanet.tape.rule import Linear


@dataclass(frozen=True)
class Taps:
    """How each entry of an axis is put together: the entries that it reads, and their weights."""

    sources: tuple[tuple[int, ...], ...]
    weights: tuple[tuple[float, ...], ...]
    size: int

    def transposed(self) -> Taps:
        """Return how each entry that is read is spread: the same matrix, its rows its columns."""
        rows: list[list[tuple[int, float]]] = [[] for _ in range(self.size)]
        for target, pairs in enumerate(zip(self.sources, self.weights, strict=True)):
            for source, weight in zip(*pairs, strict=True):
                rows[source].append((target, weight))
        longest = max(map(len, rows))
        filled = [row + [(row[0][0] if row else 0, 0.0)] * (longest - len(row)) for row in rows]
        sources = tuple(tuple(source for source, _ in row) for row in filled)
        weights = tuple(tuple(weight for _, weight in row) for row in filled)
        return Taps(sources, weights, len(self.sources))


def _spread(xp: Any, g: Any, x: Any, *, taps: Taps, axis: int) -> Any:
    return resampled(g, taps=taps.transposed(), axis=axis)


def _batch(
    trace: Any, primitive: Any, values: list[Any], batched: list[bool], kwargs: dict[str, Any]
) -> Any:
    return primitive(*values, **{**kwargs, "axis": kwargs["axis"] + 1})


@kernel(rule=Linear(_spread), batching=_batch)
def resampled(x: Any, *, taps: Taps, axis: int) -> Any:
    """Put the entries along one axis together from those of `x`."""
    xp = array_namespace(x)
    total = None
    shape = (len(taps.sources), *(1,) * (x.ndim - axis - 1))
    columns = zip(*taps.sources, strict=True), zip(*taps.weights, strict=True)
    for sources, weights in zip(*columns, strict=True):
        indices = xp.asarray(sources, device=device_of(x))
        part = xp.take(x, indices, axis=axis)
        if set(weights) != {1.0}:
            scale = xp.asarray(weights, dtype=x.dtype, device=device_of(x))
            part = part * xp.reshape(scale, shape)
        total = part if total is None else total + part
    return total
