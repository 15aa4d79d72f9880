"""array_api_strict: the portability linter, an array library that allows only the standard."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
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
    gpu_order = None

    @cached_property
    def xp(self) -> tape.Namespace:
        import array_api_strict as raw

        return tape.Namespace("array_api_strict", raw, _sums(raw), _box(type(raw.zeros(0))))

    def devices(self) -> list[Any]:
        return list(self.xp.raw.__array_namespace_info__().devices())

    def device_name(self, device: Any) -> str:
        return str(device).partition("'")[2].rstrip("')").lower()

    def from_numpy(self, x: np.ndarray, device: Any = None) -> Any:
        return self.xp.raw.asarray(x, device=device, copy=True)

    def to_numpy(self, x: Any) -> np.ndarray:
        host = x.to_device(self.xp.raw.Device("CPU_DEVICE"))
        return np.array(host)

    def may_share_memory(self, x: Any, y: Any) -> bool:
        return np.may_share_memory(x._array, y._array)


def _sums(xp: Any) -> dict[str, Callable[..., Any]]:
    """Return the functions that add up, which work single precision out in double.

    The library's own add one by one along all axes but the last: a mean over a megapixel is 1 %
    off.
    """
    functions = {name: getattr(xp, name) for name in ("mean", "std", "sum", "var")}
    functions["linalg.vector_norm"] = xp.linalg.vector_norm
    wider = {xp.float32: xp.float64, xp.complex64: xp.complex128}

    def in_double(function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def summed(x: Any, /, **options: Any) -> Any:
            # The largest of all magnitudes is no sum, but one of them to the last bit.
            extreme = math.isinf(options.get("ord", 2))
            wide = None if extreme or options.get("dtype") is not None else wider.get(x.dtype)
            if wide is None:
                return function(x, **options)
            total = function(xp.astype(x, wide), **options)
            return xp.astype(total, xp.float32 if total.dtype == xp.float64 else x.dtype)

        return summed

    return {name: in_double(function) for name, function in functions.items()}


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
