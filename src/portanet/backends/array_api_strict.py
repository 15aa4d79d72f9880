"""array_api_strict: the portability linter, an array library that allows only the standard."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np

from portanet import tape
from portanet.backends.tape_backend import TapeBackend
from portanet.errors import TracedValueError

_ASSIGNED = ("add", "sub", "mul", "truediv", "floordiv", "mod", "pow", "matmul")


class StrictBackend(TapeBackend):
    """Arrays of array_api_strict, differentiated by the tape with generic bodies only."""

    name = "array_api_strict"
    modules = ("array_api_strict",)
    distribution = "array-api-strict"

    @cached_property
    def xp(self) -> tape.Namespace:
        import array_api_strict as raw

        return tape.Namespace("array_api_strict", raw, box=_box(type(raw.zeros(0))))

    def devices(self) -> list[Any]:
        return list(self.xp.raw.__array_namespace_info__().devices())

    def device_name(self, device: Any) -> str:
        return str(device).partition("'")[2].rstrip("')").lower()

    def from_numpy(self, x: np.ndarray, device: Any = None) -> Any:
        return self.xp.raw.asarray(x, device=device, copy=True)

    def to_numpy(self, x: Any) -> np.ndarray:
        host = x.to_device(self.xp.raw.Device("CPU_DEVICE"))
        return np.array(host)


def _box(array: type) -> type[tape.Box]:
    """Make the box a subclass of the array type.

    Strict's operators raise for an unknown right operand instead of deferring to it; Python asks
    a subclass first.
    """

    def new(cls: type, *_: Any) -> Any:
        return object.__new__(cls)

    def storage(self: Any) -> Any:
        raise TracedValueError(
            "array_api_strict cannot index or combine with a traced array here: to look up entries "
            "of an array by a batched index use xp.take"
        )

    # Without these, Python would take the array's own, which write into a storage.
    replacing = {f"__i{s}__": getattr(tape.Box, f"__{s}__") for s in _ASSIGNED}
    body = {"__slots__": (), "__new__": new, "_array": property(storage), **replacing}
    return type("StrictBox", (tape.Box, array), body)
