"""Arrays as messages: one vector for each dtype, whatever their number."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from portanet.distributed.engine import Engine
from portanet.functional.half import is_half, rounded, widened
from portanet.interface import Backend, array_namespace, backend_of, get_backend

Array = Any


def _by_dtype(arrays: Sequence[Array]) -> list[list[int]]:
    """Return the places of the arrays of each dtype, in the order in which they are met."""
    places: dict[Any, list[int]] = {}
    for place, x in enumerate(arrays):
        places.setdefault(x.dtype, []).append(place)
    return list(places.values())


def packed(arrays: Sequence[Array]) -> list[Array]:
    """Return arrays of one library as vectors, one for each dtype."""
    xp = array_namespace(*arrays)
    vectors = []
    for places in _by_dtype(arrays):
        parts = [xp.reshape(arrays[place], (-1,)) for place in places]
        vectors.append(parts[0] if len(parts) == 1 else xp.concat(parts))
    return vectors


def unpacked(vectors: Sequence[Array], like: Sequence[Array]) -> list[Array]:
    """Return the arrays of vectors that `packed` has made of others like `like`."""
    arrays: list[Array] = list(like)
    for vector, places in zip(vectors, _by_dtype(like), strict=True):
        xp, start = array_namespace(vector), 0
        for place in places:
            shape = like[place].shape
            end = start + math.prod(shape)
            arrays[place] = xp.reshape(vector[start:end], shape)
            start = end
    return arrays


def allreduced(engine: Engine, vectors: Sequence[Array], operation: str) -> list[Array]:
    """Return vectors of all workers as one; numbers of 16 bits are added up in float32."""

    def reduce(vector: Array) -> Array:
        wide = widened(vector) if is_half(vector) else vector
        return rounded(sent(engine, wide, lambda x: engine.allreduce(x, operation)), vector)

    return list(vectors) if engine.workers == 1 else list(map(reduce, vectors))


def broadcasted(engine: Engine, vectors: Sequence[Array], root: int) -> list[Array]:
    """Return the vectors of the worker `root`."""
    if engine.workers == 1:
        return list(vectors)
    return [sent(engine, vector, lambda x: engine.broadcast(x, root)) for vector in vectors]


def sent(engine: Engine, vector: Array, send: Callable[[Array], Array]) -> Array:
    """Send a vector of any library by an engine, and return what came back in that library."""
    backend = backend_of(vector)
    if engine.library == backend.name:
        return send(vector)
    carrier = get_backend(engine.library)
    answer = send(carrier.receive(vector, backend, carrier.parse_device(None)))
    return _returned(backend, carrier, answer, vector)


def _returned(backend: Backend, carrier: Backend, answer: Array, like: Array) -> Array:
    moved = backend.receive(answer, carrier, backend.device_of(like))
    return rounded(moved, like)  # NumPy may have had bfloat16 in float32
