"""``cupy.cuda``: devices, streams and memory pools."""

from cupy.cuda import device, runtime, stream
from cupy.cuda.device import Device
from cupy.cuda.stream import Event, Stream, get_current_stream, get_elapsed_time

__all__ = [
    "Device", "Event", "MemoryPool", "Stream", "device", "get_current_stream", "get_elapsed_time",
    "is_available", "runtime", "stream",
]  # fmt: skip


def is_available() -> bool:
    return True


class MemoryPool:
    """The pool of memory, which keeps nothing."""

    def used_bytes(self) -> int:
        return 0

    def total_bytes(self) -> int:
        return 0

    def free_all_blocks(self, stream: Stream | None = None) -> None:
        pass
