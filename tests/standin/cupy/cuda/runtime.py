"""``cupy.cuda.runtime``: what CUDA says of its devices."""

from __future__ import annotations

from typing import Any

from cupy._state import DEVICES, counts, current

is_hip = False


class CUDARuntimeError(RuntimeError):
    """What CUDA's runtime refuses."""


def getDevice() -> int:
    return current.device


def setDevice(device: int) -> None:
    if not 0 <= device < DEVICES:
        raise CUDARuntimeError("cudaErrorInvalidDevice: invalid device ordinal")
    current.device = device


def getDeviceCount() -> int:
    return DEVICES


def getDeviceProperties(device: int) -> dict[str, Any]:
    return {"name": b"stand-in", "totalGlobalMem": 0}


def deviceCanAccessPeer(device: int, peer: int) -> int:
    return int(device != peer)


def deviceSynchronize() -> None:
    counts.waits += 1


def runtimeGetVersion() -> int:
    return 12080


def driverGetVersion() -> int:
    return 12080
