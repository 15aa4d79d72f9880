"""JAX's own bodies for `portanet.functional.indexing`."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer

from portanet.tape.ops.index_keys import refuse_range


def checked_index(index: jax.Array, size: int, names: tuple[str, str], wraps: bool) -> jax.Array:
    """Look at the values of an array that has some.

    A tracer has none: there, what counts from the end and must not, is sent to where a gather gives
    NaN and a scatter is dropped.
    """
    if index.size and not isinstance(index, Tracer) and _is_on_host(index):
        values = np.asarray(index)  # inside of a program even a constant's minimum is traced
        refuse_range(int(values.min()), int(values.max()), size, names, wraps)
    index = index.astype(jnp.arange(0).dtype)
    if not wraps and not isinstance(index, Tracer):
        return index
    return jnp.where(index < 0, index + size if wraps else size, index)


def _is_on_host(x: jax.Array) -> bool:
    return all(device.platform == "cpu" for device in x.devices())


def add_rows(x: jax.Array, places: jax.Array, count: int) -> jax.Array:
    return jax.ops.segment_sum(x, places, count)


def segment_max(x: jax.Array, places: jax.Array, count: int) -> jax.Array:
    return jax.ops.segment_max(x, places, count)


def add_at(x: jax.Array, y: jax.Array, *, index: Any) -> jax.Array:
    return x.at[index].add(y)


def replace_at(x: jax.Array, y: jax.Array, *, index: Any) -> jax.Array:
    return x.at[index].set(y)


KERNELS = {
    function.__name__: function
    for function in (add_at, add_rows, checked_index, replace_at, segment_max)
}
