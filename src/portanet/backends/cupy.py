"""CuPy: NumPy on CUDA devices, differentiated by the tape."""

from __future__ import annotations

import importlib.metadata
from functools import cached_property
from typing import Any

import numpy as np

from portanet import tape
from portanet.backends.base import Array, Backend
from portanet.backends.tape_backend import TapeBackend

_DISTRIBUTIONS = ("cupy-cuda13x", "cupy-cuda12x", "cupy-cuda11x", "cupy")


class CuPyBackend(TapeBackend):
    """Arrays of CuPy. Devices are called by their number: ``cupy:0``, ``cupy:1``."""

    name = "cupy"
    modules = ("cupy",)
    distribution = "cupy-cuda12x"

    @cached_property
    def xp(self) -> tape.Namespace:
        import array_api_compat.cupy as raw

        kernels = {"scatter_getitem": self._scatter_getitem, "scatter_take": self._scatter_take}
        return tape.Namespace("cupy", raw, kernels)

    @cached_property
    def _cupy(self) -> Any:
        import cupy

        return cupy

    def unavailable_reason(self) -> str | None:
        reason = super().unavailable_reason()
        if reason is not None:
            return reason
        # Before 14, is_available raises where the driver is missing; a broken install may raise
        # anything while it loads its libraries.
        try:
            usable, detail = self._cupy.is_available(), "no CUDA device was found"
        except Exception as error:
            usable, detail = False, f"{type(error).__name__}: {error}"
        return None if usable else f"installed but cannot be used: {detail}"

    def version(self) -> str | None:
        for distribution in _DISTRIBUTIONS:
            try:
                return importlib.metadata.version(distribution)
            except importlib.metadata.PackageNotFoundError:
                continue
        return None

    def devices(self) -> list[Any]:
        cupy = self._cupy
        return [cupy.cuda.Device(i) for i in range(cupy.cuda.runtime.getDeviceCount())]

    def accelerators(self) -> list[Any]:
        return self.devices()

    def device_name(self, device: Any) -> str:
        return str(device.id)

    def from_numpy(self, x: np.ndarray, device: Any = None) -> Array:
        with self._cupy.cuda.Device(0) if device is None else device:
            return self._cupy.asarray(x)

    def to_numpy(self, x: Array) -> np.ndarray:
        return self._cupy.asnumpy(x)

    def receive(self, x: Array, source: Backend, device: Any) -> Array:
        if source.name == "torch" and x.device.type == "cuda":
            return self.transfer(self._cupy.from_dlpack(x), device)
        return super().receive(x, source, device)

    def transfer(self, x: Array, device: Any) -> Array:
        if x.device == device:
            return x
        with device:
            return self._cupy.array(x)

    def dtype(self, name: str) -> Any:
        return np.dtype(super().dtype(name))

    def uniform(self, words: tuple[int, int], shape: tuple[int, ...], like: Array) -> Array:
        return self._fill("uniform", words, shape, like)

    def normal(self, words: tuple[int, int], shape: tuple[int, ...], like: Array) -> Array:
        return self._fill("normal", words, shape, like)

    def _fill(
        self, kind: str, words: tuple[int, int], shape: tuple[int, ...], like: Array
    ) -> Array:
        from portanet.backends import cupy_random

        with self.device_of(like):
            return cupy_random.fill(kind, words, shape, like.dtype)

    def synchronize(self, device: Any = None) -> None:
        with self._cupy.cuda.Device() if device is None else device:
            self._cupy.cuda.get_current_stream().synchronize()

    def _scatter_getitem(self, g: Array, key: Any, shape: tuple[int, ...]) -> Array:
        fresh = self._cupy.zeros(shape, dtype=g.dtype)
        self._cupy.add.at(fresh, key, g)
        return fresh

    def _scatter_take(self, g: Array, indices: Array, axis: int, shape: tuple[int, ...]) -> Array:
        return self._scatter_getitem(g, (slice(None),) * axis + (indices,), shape)
