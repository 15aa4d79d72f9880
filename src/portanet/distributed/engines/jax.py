"""Messages by jax.distributed: collectives on a mesh with one device of each process."""

from __future__ import annotations

import functools
import importlib.util
import os
import sys
from collections.abc import Callable
from types import TracebackType
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.experimental import multihost_utils
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from portanet.distributed.engine import Engine
from portanet.distributed.launchers import launched_by, report

_COMBINE: dict[str, Callable[..., Any]] = {
    "sum": jnp.sum,
    "mean": jnp.mean,
    "max": jnp.max,
    "min": jnp.min,
}


class JAXEngine(Engine):
    """The processes of jax.distributed, which this starts unless the program has."""

    name = "jax"
    library = "jax"

    def __init__(self, seconds: float) -> None:
        if not jax.distributed.is_initialized():
            _start(seconds)
        self.rank, self.workers = jax.process_index(), jax.process_count()
        self.local_rank = int(os.environ.get("OMPI_COMM_WORLD_LOCAL_RANK", 0))
        if self.workers > 1:
            sys.excepthook = functools.partial(_end_this, self.rank, self.workers)
        devices = [_first_device(rank) for rank in range(self.workers)]
        mesh = Mesh(np.asarray(devices), ("workers",))
        self._each = NamedSharding(mesh, PartitionSpec("workers"))
        self._all = NamedSharding(mesh, PartitionSpec())
        self._device = devices[self.rank]

    def allreduce(self, message: jax.Array, operation: str) -> jax.Array:
        return self._run(_COMBINE[operation], message)

    def broadcast(self, message: jax.Array, root: int) -> jax.Array:
        return self._run(functools.partial(_row, root=root), message)

    def gather(self, data: bytes) -> list[bytes]:
        if self.workers == 1:
            return [data]
        lengths = multihost_utils.process_allgather(np.asarray([len(data)], np.int32)).reshape(-1)
        filled = np.zeros(max(int(lengths.max()), 1), np.uint8)
        filled[: len(data)] = np.frombuffer(data, np.uint8)
        rows = np.asarray(multihost_utils.process_allgather(filled)).reshape(self.workers, -1)
        return [row[:length].tobytes() for row, length in zip(rows, lengths, strict=True)]

    def _run(self, combine: Callable[..., Any], message: jax.Array) -> jax.Array:
        """Return what `combine` makes of the messages of all workers, along the first axis."""
        here = message.device
        row = jax.device_put(message[None], self._device)
        shape = (self.workers, *message.shape)
        rows = jax.make_array_from_single_device_arrays(shape, self._each, [row])
        total = _compiled(combine, self._all)(rows).addressable_data(0)
        return jax.device_put(total, here)


def _start(seconds: float) -> None:
    """Start jax.distributed, where something says how many processes there are."""
    options: dict[str, Any] = {"initialization_timeout": int(seconds)}
    if launched_by() == "mpi" and importlib.util.find_spec("mpi4py") is not None:
        options["cluster_detection_method"] = "mpi4py"
    try:
        jax.distributed.initialize(**options)
    except ValueError:
        if launched_by() is not None:
            raise  # there are others: this is not the only worker


def _first_device(rank: int) -> Any:
    return next(device for device in jax.devices() if device.process_index == rank)


def _row(rows: jax.Array, axis: int, root: int) -> jax.Array:
    return jnp.take(rows, root, axis=axis)


@functools.lru_cache(maxsize=64)
def _compiled(combine: Callable[..., Any], sharding: NamedSharding) -> Callable[..., Any]:
    return jax.jit(functools.partial(combine, axis=0), out_shardings=sharding)


def _end_this(
    rank: int,
    workers: int,
    kind: type[BaseException],
    error: BaseException,
    trace: TracebackType | None,
) -> None:
    """End this process at once where it has failed: its launcher then ends the others."""
    report(rank, workers, kind, error, trace)
    os._exit(1)
