"""array_api_strict: the portability linter, an array library that allows only the standard."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np

from portanet import tape
from portanet.backends.base import TapeBackend


class StrictBackend(TapeBackend):
    """Arrays of array_api_strict, differentiated by the tape with generic bodies only."""

    name = "array_api_strict"
    modules = ("array_api_strict",)
    distribution = "array-api-strict"

    @cached_property
    def xp(self) -> tape.Namespace:
        import array_api_strict as raw

        return tape.Namespace("array_api_strict", raw)

    def devices(self) -> list[Any]:
        return list(self.xp.raw.__array_namespace_info__().devices())

    def device_name(self, device: Any) -> str:
        return str(device).partition("'")[2].rstrip("')").lower()

    def from_numpy(self, x: np.ndarray, device: Any = None) -> Any:
        return self.xp.raw.asarray(x, device=device, copy=True)

    def to_numpy(self, x: Any) -> np.ndarray:
        host = x.to_device(self.xp.raw.Device("CPU_DEVICE"))
        return np.array(host)
