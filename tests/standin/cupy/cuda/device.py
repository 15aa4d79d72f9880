"""``cupy.cuda.device``: devices by number, and a current one for each thread."""

from __future__ import annotations

from typing import Any

from cupy._state import counts, current
from cupy.cuda.runtime import setDevice


class Device:
    """A device. Two with one number are equal; none can be a key."""

    __hash__ = None

    def __init__(self, device: Any = None) -> None:
        self.id = current.device if device is None else int(device)
        self._before: list[int] = []

    def __int__(self) -> int:
        return self.id

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Device) and self.id == other.id

    def __repr__(self) -> str:
        return f"<CUDA Device {self.id}>"

    def use(self) -> Device:
        setDevice(self.id)
        return self

    def __enter__(self) -> Device:
        self._before.append(current.device)
        return self.use()

    def __exit__(self, *_: object) -> None:
        setDevice(self._before.pop())

    def synchronize(self) -> None:
        counts.waits += 1
