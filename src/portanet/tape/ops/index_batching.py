"""How reading by index and its transposes run on a whole batch.

An index with arrays in it, or a batched one, is first turned into the positions of the elements in
a flattened entry: then the library's own meaning of the index holds, whatever the batch axis does.
"""

from __future__ import annotations

import math
from typing import Any

from portanet.errors import TracedValueError
from portanet.tape.box import device_of, seen
from portanet.tape.ops.batching import copies, entries_of, flat, positive, spread
from portanet.tape.ops.index_keys import is_basic


def _positions(xp: Any, shape: tuple[int, ...], like: Any) -> Any:
    return xp.reshape(xp.arange(math.prod(shape), device=device_of(like)), shape)


def _of_entries(xp: Any, positions: Any, size: int) -> Any:
    """Positions in the flattened entries, one row an entry, as positions in the flattened batch."""
    rows = xp.arange(positions.shape[0], device=device_of(positions))
    return positions + xp.expand_dims(rows * size, axis=-1)


def _parts(key: Any) -> tuple[Any, ...]:
    return key if isinstance(key, tuple) else (key,)


def _chosen(trace: Any, xp: Any, key: Any, shape: tuple[int, ...], like: Any) -> tuple[Any, bool]:
    """Return the positions that a key names in an array of `shape`, and whether it is batched."""
    positions = _positions(xp, shape, like)
    parts = _parts(key)
    own = [trace.owns(part) for part in parts]
    if not any(own):
        return xp.getitem(positions, seen(key)), False
    arrays = [part.value if mine else part for part, mine in zip(parts, own, strict=True)]
    for part, mine in zip(arrays, own, strict=True):
        if mine and xp.isdtype(part.dtype, "bool"):
            raise TracedValueError(
                "a batched mask chooses another number of elements in every entry: "
                "use xp.where(mask, x, 0.0) instead of x[mask]"
            )
    if len(parts) == 1 and len(shape) > 0:
        return _looked_up(xp, positions, arrays[0]), True
    if trace.size == 0:
        zeros = [xp.zeros(a.shape[1:], dtype=a.dtype, device=device_of(a)) if mine else a
                 for a, mine in zip(arrays, own, strict=True)]  # fmt: skip
        return copies(xp, xp.getitem(positions, seen(tuple(zeros))), 0), True
    pairs = list(zip(arrays, own, strict=True))
    keys = [tuple(a[i, ...] if mine else a for a, mine in pairs) for i in range(trace.size)]
    rows = [xp.getitem(positions, seen(key)) for key in keys]
    return xp.stack(rows), True


def _looked_up(xp: Any, positions: Any, index: Any) -> Any:
    """Index the first axis of `positions` by a batch of integer arrays."""
    rows = xp.take(positions, xp.reshape(index, (-1,)), axis=0)
    return xp.reshape(rows, (*index.shape, *positions.shape[1:]))


def getitem(
    trace: Any, primitive: Any, values: list[Any], batched: list[bool], kwargs: dict[str, Any]
) -> Any:
    xp, (x, key) = primitive.xp, values
    if batched[1] and type(key) is not tuple:
        key = xp.batch_box(key, trace, None)
    if is_basic(key):
        return primitive(x, (slice(None), *_parts(key)))
    shape = x.shape[1:] if batched[0] else x.shape
    positions, varied = _chosen(trace, xp, key, shape, x)
    found = positions.shape[1:] if varied else positions.shape
    if not varied:
        y = xp.take(flat(xp, x), xp.reshape(positions, (-1,)), axis=1)
    elif not batched[0]:
        y = xp.take(xp.reshape(x, (-1,)), xp.reshape(positions, (-1,)), axis=0)
    else:
        y = _take_own(xp, flat(xp, x), flat(xp, positions))
    return xp.reshape(y, (trace.size, *found))


def _take_own(xp: Any, x: Any, positions: Any) -> Any:
    """Take from each row of `x` the elements at its own row of `positions`."""
    places = _of_entries(xp, positions, x.shape[1])
    y = xp.take(xp.reshape(x, (-1, *x.shape[2:])), xp.reshape(places, (-1,)), axis=0)
    return xp.reshape(y, (*positions.shape, *x.shape[2:]))


def scatter_getitem(
    trace: Any, primitive: Any, values: list[Any], batched: list[bool], kwargs: dict[str, Any]
) -> Any:
    xp, (g, key, shape) = primitive.xp, values
    size = math.prod(shape)
    if batched[1] and type(key) is not tuple:
        key = xp.batch_box(key, trace, None)
    if is_basic(key):
        return primitive(g, (slice(None), *_parts(key)), (trace.size, *shape))
    positions, varied = _chosen(trace, xp, key, shape, g)
    g = flat(xp, spread(xp, g, batched[0], trace.size))
    if varied:
        y = _scatter_own(xp, g, flat(xp, positions), (trace.size, size))
    else:
        y = xp.scatter_take(g, xp.reshape(positions, (-1,)), 1, (trace.size, size))
    return xp.reshape(y, (trace.size, *shape))


def scatter_sum(
    trace: Any, primitive: Any, values: list[Any], batched: list[bool], kwargs: dict[str, Any]
) -> Any:
    parts = [
        spread(primitive.xp, g, own, trace.size) for g, own in zip(values, batched, strict=True)
    ]
    keys = tuple((slice(None), *_parts(key)) for key in kwargs["keys"])
    return primitive(*parts, keys=keys, shape=(trace.size, *kwargs["shape"]))


def _scatter_own(xp: Any, g: Any, positions: Any, shape: tuple[int, ...]) -> Any:
    """Add each row of `g` into zeros at its own row of `positions`."""
    places = xp.reshape(_of_entries(xp, positions, shape[1]), (-1,))
    rows = (shape[0] * shape[1], *shape[2:])
    g = xp.reshape(g, (math.prod(g.shape[:2]), *g.shape[2:]))
    return xp.reshape(xp.scatter_take(g, places, 0, rows), shape)


def take(
    trace: Any, primitive: Any, values: list[Any], batched: list[bool], kwargs: dict[str, Any]
) -> Any:
    xp, (x, indices) = primitive.xp, values
    rank = x.ndim - batched[0]
    axis = kwargs.get("axis")
    if axis is None and rank != 1:
        entries = entries_of(trace, primitive, values, batched)
        primitive.compute(*entries, axis=None)
        x = flat(xp, x) if batched[0] else xp.reshape(x, (-1,))
        return take(trace, primitive, [x, indices], batched, {"axis": 0})
    axis = positive("take", axis or 0, rank)
    if not batched[1]:
        return primitive(x, indices, axis=axis + 1)
    shape = indices.shape[1:]
    if batched[0]:
        x = xp.moveaxis(x, axis + 1, 1)
        within = xp.take(_positions(xp, x.shape[1:2], x), xp.reshape(indices, (-1,)), axis=0)
        y = _take_own(xp, x, xp.reshape(within, (trace.size, math.prod(shape))))
    else:
        x = xp.moveaxis(x, axis, 0)
        y = primitive(x, xp.reshape(indices, (-1,)), axis=0)
    rest = y.shape[2:] if batched[0] else y.shape[1:]
    y = xp.reshape(y, (trace.size, math.prod(shape), *rest))
    y = xp.moveaxis(y, 1, axis + 1)
    return xp.reshape(y, (*y.shape[: axis + 1], *shape, *y.shape[axis + 2 :]))


def scatter_take(
    trace: Any, primitive: Any, values: list[Any], batched: list[bool], kwargs: dict[str, Any]
) -> Any:
    xp, (g, indices, axis, shape) = primitive.xp, values
    size = trace.size
    if not batched[1]:
        return primitive(g, indices, axis + 1, (size, *shape))
    width = indices.ndim - 1
    g = spread(xp, g, batched[0], size)
    front = g.shape[: axis + 1]
    g = xp.reshape(g, (*front, math.prod(indices.shape[1:]), *g.shape[axis + 1 + width :]))
    g = xp.moveaxis(g, axis + 1, 1)
    within = xp.take(_positions(xp, (shape[axis],), g), xp.reshape(indices, (-1,)), axis=0)
    rows = (size, shape[axis], *shape[:axis], *shape[axis + 1 :])
    y = _scatter_own(xp, g, xp.reshape(within, (size, math.prod(indices.shape[1:]))), rows)
    return xp.moveaxis(y, 1, axis + 1)


def segments(
    trace: Any, primitive: Any, values: list[Any], batched: list[bool], kwargs: dict[str, Any]
) -> Any:
    """Reduce the rows of each entry by segments: those of entry `i` come after those before it."""
    xp, (x, segments, count) = primitive.xp, values
    if not batched[1]:
        return xp.moveaxis(primitive(xp.moveaxis(x, 0, 1), segments, count), 1, 0)
    x = spread(xp, x, batched[0], trace.size)
    places = xp.reshape(_of_entries(xp, segments, count), (-1,))
    rows = xp.reshape(x, (math.prod(x.shape[:2]), *x.shape[2:]))
    y = primitive(rows, places, trace.size * count)
    return xp.reshape(y, (trace.size, count, *x.shape[2:]))


def take_along_axis(
    trace: Any, primitive: Any, values: list[Any], batched: list[bool], kwargs: dict[str, Any]
) -> Any:
    xp = primitive.xp
    x, indices = (
        spread(xp, v, own, trace.size) for v, own in zip(values[:2], batched, strict=False)
    )
    axis = values[2] if len(values) > 2 else kwargs.get("axis", -1)
    return primitive(x, indices, axis=positive("take_along_axis", axis, x.ndim - 1) + 1)
