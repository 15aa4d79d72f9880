"""The entries under each window of an array, and what lies there added up again."""

from __future__ import annotations

import functools
import operator
from typing import Any

from array_api_compat import device

from portanet.functional.geometry import Geometry, padded_input
from portanet.functional.pad import pad


def window_patches(xp: Any, x: Any, shape: Geometry) -> Any:
    """The entries under each window: ``(N, *output, groups, window entries * C / groups)``."""
    x = padded_input(x, shape)
    parts = [x[(slice(None), *place, slice(None))] for place in shape.offsets()]
    lead = (x.shape[0], *shape.output, 1, shape.groups, x.shape[-1] // shape.groups)
    stacked = xp.concat([xp.reshape(part, lead) for part in parts], axis=-3)
    rank = stacked.ndim
    stacked = xp.permute_dims(stacked, (*range(rank - 3), rank - 2, rank - 3, rank - 1))
    return xp.reshape(stacked, (*stacked.shape[:-2], stacked.shape[-2] * stacked.shape[-1]))


def add_patches(xp: Any, patches: Any, shape: Geometry) -> Any:
    """Add up patches ``(N, *output, window entries, C)`` where they lie in the input."""
    size = (patches.shape[0], *shape.padded, patches.shape[-1])
    parts = (_spread(xp, patches[..., i, :], p, size) for i, p in enumerate(shape.offsets()))
    total = functools.reduce(operator.add, parts)
    inner = tuple(slice(p, p + n) for (p, _), n in zip(shape.padding, shape.spatial, strict=True))
    return total[(slice(None), *inner, slice(None))]


def _spread(xp: Any, part: Any, place: tuple[slice, ...], size: tuple[int, ...]) -> Any:
    """Put `part` at the slices `place` of zeros, with what the standard has for it."""
    for axis, (where, n) in enumerate(zip(place, size[1:-1], strict=True), start=1):
        count, step = part.shape[axis], where.step
        if step > 1:
            part = xp.expand_dims(part, axis=axis + 1)
            gaps = xp.zeros(
                (*part.shape[: axis + 1], step - 1, *part.shape[axis + 2 :]),
                dtype=part.dtype,
                device=device(part),
            )
            part = xp.concat([part, gaps], axis=axis + 1)
            shape = (*part.shape[:axis], count * step, *part.shape[axis + 2 :])
            part = xp.reshape(part, shape)
            part = part[(*(slice(None),) * axis, slice(0, step * (count - 1) + 1), ...)]
        after = n - where.start - part.shape[axis]
        widths = [(0, 0)] * part.ndim
        widths[axis] = (where.start, after)
        part = pad(part, widths)
    return part
