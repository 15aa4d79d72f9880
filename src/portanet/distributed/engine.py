"""What carries messages between workers, and the one that needs none."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar

Array = Any

OPERATIONS = ("sum", "mean", "max", "min")
"""How the messages of several workers become one."""


GATHERED_BYTES = 2**16
"""Up to so many bytes of all workers, one message to each is faster by MPI than two of a block."""


class Engine(ABC):
    """Messages between the processes of one group, each of which calls the same methods in turn.

    A message is a vector of the engine's own library. `allreduce` gives every worker the same bits.
    An engine is made in every process of the group; a third party's is given to `initialize`.

    Attributes
    ----------
    name : str
        What users call it.
    library : str
        The backend of its messages; arrays of another one go over the host.
    rank, workers, local_rank : int
        The number of this worker from 0, how many there are, and this one's number on its machine.
    """

    name: ClassVar[str]
    library: ClassVar[str]
    rank: int
    workers: int
    local_rank: int

    @abstractmethod
    def allreduce(self, message: Array, operation: str) -> Array:
        """Return the sum, the mean, the maximum or the minimum of the messages of all workers.

        Of one length and dtype on all of them. The sum of numbers of 16 bits is not asked for.
        """

    @abstractmethod
    def broadcast(self, message: Array, root: int) -> Array:
        """Return the message of the worker `root`; those of the others say how long it is."""

    @abstractmethod
    def gather(self, data: bytes) -> list[bytes]:
        """Return a few bytes of each worker, of any length, in the order of their ranks."""


class Alone(Engine):
    """The only worker."""

    name = "alone"
    library = "numpy"
    rank, workers, local_rank = 0, 1, 0

    def allreduce(self, message: Array, operation: str) -> Array:
        return message

    def broadcast(self, message: Array, root: int) -> Array:
        return message

    def gather(self, data: bytes) -> list[bytes]:
        return [data]
