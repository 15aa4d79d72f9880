"""Messages by MPI, for arrays that are NumPy's or go over the host."""

from __future__ import annotations

import atexit
import sys
import time
from collections.abc import Callable
from functools import wraps
from types import TracebackType
from typing import Any, TypeVar

import mpi4py
import numpy as np

mpi4py.rc.initialize, mpi4py.rc.finalize = False, True  # an import alone starts nothing
from mpi4py import MPI  # noqa: E402

from portanet.distributed.engine import GATHERED_BYTES, Engine  # noqa: E402
from portanet.distributed.launchers import report  # noqa: E402
from portanet.errors import DistributedError  # noqa: E402

_COMBINE = {"sum": np.add, "mean": np.add, "max": np.maximum, "min": np.minimum}

_SECONDS_FOR_REPORTS = 0.5
"""How long `mpirun` has for passing on what failing workers print; it drops the rest."""

T = TypeVar("T", bound=Callable[..., Any])


def _explained(method: T) -> T:
    """Let what MPI says of a failure be an error of the family."""

    @wraps(method)
    def call(self: Any, *args: Any) -> Any:
        try:
            return method(self, *args)
        except MPI.Exception as error:
            raise DistributedError(
                f"MPI failed on worker {self.rank} of {self.workers}: {error}: a worker is gone, "
                f"or does something else than the others"
            ) from error

    return call  # pyright: ignore[reportReturnType]


class MPIEngine(Engine):
    """All processes that `mpirun` has started.

    Entries are combined in the order of the ranks, whatever the number of bytes: each worker gets
    its block of every message, combines them, and sends the result to all. That moves as many bytes
    as the ring of an MPI's own reduction, whose order is its own affair.

    A worker whose program ends tells the next one how many messages it has taken part in. Who waits
    for one more raises, instead of for ever: MPI itself ends all only where a process dies.
    """

    name = "mpi"
    library = "numpy"

    def __init__(self, seconds: float) -> None:
        del seconds  # MPI waits as long as it takes; `mpirun` ends all where one dies
        if not MPI.Is_initialized():
            MPI.Init_thread()
        # A communicator of its own: other messages of the program do not come between.
        self._group = MPI.COMM_WORLD.Dup()
        self.rank, self.workers = self._group.rank, self._group.size
        self.local_rank = self._group.Split_type(MPI.COMM_TYPE_SHARED).rank
        self._messages = 0
        if self.workers > 1:
            self._notes = MPI.COMM_WORLD.Dup()
            self._last = np.empty(1, np.int64)
            self._note = self._notes.Irecv(self._last, (self.rank - 1) % self.workers)
            sys.excepthook = _end_all
            atexit.register(self._leave)  # before MPI ends itself, which waits for all

    @_explained
    def allreduce(self, message: np.ndarray, operation: str) -> np.ndarray:
        if message.nbytes * self.workers <= GATHERED_BYTES:
            rows = np.empty((self.workers, message.size), message.dtype)
            self._done(self._group.Iallgather(_bytes(message), _bytes(rows)))
            return _combined(rows, operation)
        size = -(-message.size // self.workers)
        blocks = np.zeros(self.workers * size, message.dtype)
        blocks[: message.size] = message
        rows = np.empty((self.workers, size), message.dtype)
        self._done(self._group.Ialltoall(_bytes(blocks), _bytes(rows)))
        self._done(self._group.Iallgather(_bytes(_combined(rows, operation)), _bytes(blocks)))
        return blocks[: message.size]

    @_explained
    def broadcast(self, message: np.ndarray, root: int) -> np.ndarray:
        message = message.copy()
        self._done(self._group.Ibcast(_bytes(message), root))
        return message

    @_explained
    def gather(self, data: bytes) -> list[bytes]:
        sizes = np.empty(self.workers, np.int64)
        self._done(self._group.Iallgather(np.asarray([len(data)]), sizes))
        ends = np.cumsum(sizes)
        found = bytearray(int(ends[-1]))
        counts = sizes, ends - sizes
        self._done(self._group.Iallgatherv([data, MPI.BYTE], [found, counts, MPI.BYTE]))
        return [bytes(found[end - size : end]) for size, end in zip(sizes, ends, strict=True)]

    def _done(self, request: MPI.Request) -> None:
        """Wait for a message of all workers, but not for one whose program has ended before it."""
        self._messages += 1
        while not request.Test():
            if self.workers > 1 and self._note.Test() and self._last[0] < self._messages:
                raise DistributedError(
                    f"worker {(self.rank - 1) % self.workers} of {self.workers} has ended its "
                    f"program, by sys.exit() or at its last line, after {self._last[0]} messages, "
                    f"and worker {self.rank} waits for it in message {self._messages}: all workers "
                    f"take the same steps"
                )

    def _leave(self) -> None:
        """Tell the next worker that no more messages come from this one."""
        if MPI.Is_finalized():
            return
        count = np.asarray([self._messages])
        self._notes.Isend(count, (self.rank + 1) % self.workers).Wait()
        if not self._note.Test():
            self._note.Cancel()
            self._note.Wait()


def _bytes(x: np.ndarray) -> list[Any]:
    """Return an array as MPI takes those of any dtype: it only moves them."""
    return [np.ascontiguousarray(x).reshape(-1).view(np.uint8), MPI.BYTE]


def _combined(rows: np.ndarray, operation: str) -> np.ndarray:
    """Return the entries of all workers combined in the order of their ranks."""
    total, combine = rows[0], _COMBINE[operation]
    for row in rows[1:]:
        combine(total, row, out=total)
    return np.divide(total, len(rows), out=total) if operation == "mean" else total


def _end_all(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """End all workers where one has failed: the others would wait for it for ever."""
    world = MPI.COMM_WORLD
    report(world.rank, world.size, kind, error, trace)
    time.sleep(_SECONDS_FOR_REPORTS)
    world.Abort(1)
