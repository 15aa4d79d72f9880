"""The entries under windows as the rows of a matrix, and their sum back into place."""

from __future__ import annotations

import functools
import math
import operator
from typing import Any

from portanet.functional.kernel import kernel
from portanet.functional.spatial.geometry import Geometry, padded_input
from portanet.functional.spatial.padding import pad
from portanet.interface import array_namespace, device_of
from portanet.tape.ops.batching import samples
from portanet.tape.ops.form import into
from portanet.tape.rule import Linear


def _added_up(xp: Any, g: Any, x: Any, *, shape: Geometry) -> Any:
    return add_patches(g, shape=shape)


@kernel(rule=Linear(_added_up), batching=samples(1), numpy=into, fresh=True)
def window_patches(x: Any, *, shape: Geometry) -> Any:
    """The entries under each window: ``(N * windows, rows of a window, their entries, C)``."""
    xp = array_namespace(x)
    padded = padded_input(x, shape)
    parts = [padded[(slice(None), *place, slice(None))] for place in shape.offsets]
    stacked = xp.stack(parts, axis=-2)
    return xp.reshape(stacked, patches_shape(x, shape))


def patches_shape(x: Any, shape: Geometry) -> tuple[int, int, int, int]:
    """The shape that the patches of `x` have."""
    *rows, entries = shape.window
    return (x.shape[0] * math.prod(shape.output), math.prod(rows), entries, x.shape[-1])


def _under_windows(xp: Any, g: Any, patches: Any, *, shape: Geometry) -> Any:
    return window_patches(g, shape=shape)


@kernel(rule=Linear(_under_windows), batching=samples(1), numpy=into, fresh=True)
def add_patches(patches: Any, *, shape: Geometry) -> Any:
    """Add up patches where they lie in the input, the transpose of `window_patches`."""
    xp = array_namespace(patches)
    windows, channels = math.prod(shape.output), patches.shape[-1]
    n, count = patches.shape[0] // windows, math.prod(shape.window)
    patches = xp.reshape(patches, (n, *shape.output, count, channels))
    size = (n, *shape.padded, channels)
    parts = (_spread(xp, patches[..., i, :], p, size) for i, p in enumerate(shape.offsets))
    total = functools.reduce(operator.add, parts)
    return total[(slice(None), *shape.inner, slice(None))]


def _spread(xp: Any, part: Any, place: tuple[slice, ...], size: tuple[int, ...]) -> Any:
    """Put `part` at the slices `place` of zeros, with what the standard has for it."""
    for axis, (where, n) in enumerate(zip(place, size[1:-1], strict=True), start=1):
        count, step = part.shape[axis], where.step
        if step > 1:
            part = xp.expand_dims(part, axis=axis + 1)
            gaps = xp.zeros(
                (*part.shape[: axis + 1], step - 1, *part.shape[axis + 2 :]),
                dtype=part.dtype,
                device=device_of(part),
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
