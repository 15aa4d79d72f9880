"""The adapter."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np

from portanet import tape
from portanet.backends import TapeBackend
from portanet.errors import DTypeError

_NARROW = {"float64": "float32", "complex128": "complex64"}


class MlxBackend(TapeBackend):
    """Arrays of MLX, differentiated by the tape, on MLX's default device.

    They live in memory that its devices share, so the place of an array is that device. Real
    numbers have 32 bits or fewer: float64 exists on the CPU alone, where ``exp`` and others
    compute it no better than float32.
    """

    name = "mlx"
    modules = ("mlx",)
    distribution = "mlx"
    jit = "none"
    gpu_order = 3

    @cached_property
    def xp(self) -> tape.Namespace:
        from portanet_mlx.box import MlxBox
        from portanet_mlx.namespace import STANDARD

        return tape.Namespace("mlx", STANDARD, box=MlxBox)

    @cached_property
    def _mx(self) -> Any:
        import mlx.core

        return mlx.core

    def devices(self) -> list[Any]:
        return [self._mx.default_device()]

    def device_name(self, device: Any) -> str:
        kind = "gpu" if device.type == self._mx.DeviceType.gpu else "cpu"
        return f"{kind}:{device.index}" if hasattr(device, "index") else kind

    def accelerators(self) -> list[Any]:
        return [d for d in self.devices() if d.type == self._mx.DeviceType.gpu]

    def device_of(self, x: Any) -> Any:
        return self._mx.default_device()

    def transfer(self, x: Any, device: Any) -> Any:
        return x

    def from_numpy(self, x: np.ndarray, device: Any = None) -> Any:
        if x.dtype.name in _NARROW:
            raise DTypeError(
                f"mlx has no {x.dtype.name} that computes as such: convert to "
                f'{_NARROW[x.dtype.name]} first, parameters by pn.astype(tree, "float32")'
            )
        return self._mx.array(x, self.dtype(x.dtype.name))

    def to_numpy(self, x: Any) -> np.ndarray:
        """Return an array as one of NumPy; bfloat16, which NumPy lacks, as an exact float32."""
        if x.dtype == self._mx.bfloat16:
            x = x.astype(self._mx.float32)
        return np.array(x).reshape(x.shape)

    def dtype_name(self, dtype: Any) -> str:
        return "bool" if dtype == self._mx.bool_ else super().dtype_name(dtype)

    def value_and_grad(self, function: Any, primals: Sequence[Any]) -> tuple[list[Any], list[Any]]:
        """Start the work of each gradient at once, so that steps do not pile up unevaluated."""
        outputs, grads = super().value_and_grad(function, primals)
        arrays = [y for y in (*outputs, *grads) if type(y) is self._mx.array]
        with contextlib.suppress(ValueError):  # inside of a transformation of MLX there is no work
            self._mx.async_eval(*arrays)
        return outputs, grads

    def synchronize(self, device: Any = None) -> None:
        self._mx.synchronize()
