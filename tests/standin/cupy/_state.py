"""What the stand-in counts, and each thread's current device."""

from __future__ import annotations

import threading
import warnings
from dataclasses import dataclass

DEVICES = 2


class PerformanceWarning(RuntimeWarning):
    """What CuPy warns of where something is slow."""


class _Current(threading.local):
    device = 0


@dataclass
class Counts:
    """What happened since the last `clear`: an estimate of what a device would have to do.

    A function counts as one launch where its result is new memory, although some of CuPy's
    are more; copies to the host and what depends on values count as waits.
    """

    launches: int = 0
    waits: int = 0
    allocations: int = 0
    bytes: int = 0

    def clear(self) -> None:
        """Begin anew."""
        self.launches = self.waits = self.allocations = self.bytes = 0


counts = Counts()
current = _Current()


def check_device(owner: int) -> None:
    """Complain about an array of another device than the current one, as kernels do."""
    warnings.warn(
        f"The device where the array resides ({owner}) is different from the current device "
        f"({current.device}). Peer access has been activated automatically.",
        PerformanceWarning,
        stacklevel=4,
    )
