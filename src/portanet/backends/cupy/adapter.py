"""CuPy: NumPy on CUDA devices, differentiated by the tape."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np

from portanet import tape
from portanet.backends.tape_backend import TapeBackend
from portanet.interface.backend import Array, Backend, F, Function
from portanet.tape.numpy.box import NumPyBox

_DISTRIBUTIONS = ("cupy-cuda13x", "cupy-cuda12x", "cupy-cuda11x", "cupy-rocm-7-0", "cupy")


class CuPyBackend(TapeBackend):
    """Arrays of CuPy. Devices are called by their number: ``cupy:0``, ``cupy:1``."""

    name = "cupy"
    modules = ("cupy",)
    distribution = "cupy-cuda12x"
    fuses = True
    own_draws = True
    gpu_order = 0
    wide_kernels = frozenset(("layer_norm", "log_softmax", "logsumexp", "rms_norm", "softmax"))

    @cached_property
    def xp(self) -> tape.Namespace:
        from portanet.backends.cupy.namespace import namespace

        kernels = {
            "clip": self._clip,
            "checked_index": self._checked_index,
            "clip_between": self._clip,
            "linalg.solve": self._solve,
            "scatter_getitem": self._scatter_getitem,
            "scatter_take": self._scatter_take,
        }
        kernels = {name: self.following(kernel) for name, kernel in kernels.items()}
        return tape.Namespace("cupy", namespace(), kernels, NumPyBox)

    @cached_property
    def _cupy(self) -> Any:
        import cupy

        return cupy

    @cached_property
    def _elementwise(self) -> dict[Any, Any]:
        return {}

    @cached_property
    def kernels(self) -> Mapping[str, Callable[..., Any]]:
        from portanet.backends.cupy import convolution, functions

        return {**convolution.KERNELS, **functions.kernels(self)}

    def unavailable_reason(self) -> str | None:
        reason = super().unavailable_reason()
        if reason is not None:
            return reason
        # Before 14, is_available raises where the driver is missing; a broken install may raise
        # anything while it loads its libraries.
        try:
            usable, detail = self._cupy.is_available(), "no CUDA device was found"
            if not hasattr(self._cupy.ndarray, "mT"):
                usable, detail = False, f"CuPy 14 or later is needed: {self._cupy.__version__}"
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
        cuda = self._cupy.cuda
        current = cuda.Device().id
        others = (i for i in range(cuda.runtime.getDeviceCount()) if i != current)
        return [cuda.Device(i) for i in (current, *others)]

    def accelerators(self) -> list[Any]:
        return self.devices()

    def device_name(self, device: Any) -> str:
        return str(device.id)

    def on(self, device: Any) -> Any:
        return device

    def following(self, function: F) -> F:
        from portanet.backends.cupy import devices

        return devices.following(function)

    def vjp(
        self, function: Function, primals: Sequence[Array]
    ) -> tuple[list[Array], Callable[[Sequence[Array | None]], list[Array | None]]]:
        outputs, pullback = self.following(super().vjp)(function, primals)
        pulled = self.following(lambda cotangents, _: pullback(cotangents))
        return outputs, lambda cotangents: pulled(cotangents, primals)

    def jvp(
        self, function: Function, primals: Sequence[Array], tangents: Sequence[Array]
    ) -> tuple[list[Array], list[Array | None]]:
        return self.following(super().jvp)(function, primals, tangents)

    def vmap(
        self, function: Function, arrays: Sequence[Array], axes: Sequence[int | None]
    ) -> list[Array | None]:
        return self.following(super().vmap)(function, arrays, axes)

    def from_numpy(self, x: np.ndarray, device: Any = None) -> Array:
        with self._cupy.cuda.Device() if device is None else device:
            return self._cupy.asarray(x)

    def to_numpy(self, x: Array) -> np.ndarray:
        host = self._cupy.asnumpy(x)
        self._refuse_noted(x.device)
        return host

    def receive(self, x: Array, source: Backend, device: Any) -> Array:
        shared = source.cuda_export(x)
        if shared is not None and source.dtype_name(x.dtype) != "bfloat16":
            return self.transfer(self._cupy.from_dlpack(shared), device)
        return super().receive(x, source, device)

    def cuda_export(self, x: Array) -> Any:
        return x

    def transfer(self, x: Array, device: Any) -> Array:
        if x.device == device:
            return x
        with x.device:
            x = self._cupy.ascontiguousarray(x)  # CuPy sends no others
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
        from portanet.backends.cupy import random

        with self.device_of(like):
            return random.fill(kind, words, shape, like.dtype)

    def elementwise_kernel(self, text: Any) -> Any:
        """Return a kernel for a chain of operations; the same text is the same kernel."""
        if text not in self._elementwise:
            from portanet.backends.cupy.rows import OPTIONS

            self._elementwise[text] = self._cupy.ElementwiseKernel(
                text.inputs, text.outputs, text.body, text.name,
                preamble=text.preamble, options=OPTIONS,
            )  # fmt: skip
        return self._elementwise[text]

    def row_kernel(self, text: Any, shape: tuple[int, ...]) -> Callable[..., Any]:
        """Return a function of the operands of a kernel of rows, for arrays of a shape."""
        from portanet.backends.cupy import rows

        return rows.launcher(text, shape)

    def may_share_memory(self, x: Array, y: Array) -> bool:
        return self._cupy.may_share_memory(x, y)

    def synchronize(self, device: Any = None) -> None:
        with self._cupy.cuda.Device() if device is None else device:
            self._cupy.cuda.get_current_stream().synchronize()
            self._refuse_noted(self._cupy.cuda.Device())

    def _refuse_noted(self, device: Any) -> None:
        """Refuse an index that was out of range, now that the host has waited for `device`."""
        from portanet.backends.cupy import indices

        indices.refuse_noted(device.id)

    def _clip(self, x: Array, /, min: Any = None, max: Any = None) -> Array:
        """Clip without the masks of array_api_compat, at each of which the host would wait."""
        bounds = [bound for bound in (min, max) if bound is not None]
        alike = all(getattr(bound, "dtype", x.dtype) == x.dtype for bound in bounds)
        if x.dtype.kind != "f" or not bounds or not alike:
            return self.xp.raw.clip(x, min, max)
        y = x if min is None else self._cupy.maximum(x, min)
        return y if max is None else self._cupy.minimum(y, max)

    def _checked_index(self, index: Array, size: int, names: tuple[str, str], wraps: bool) -> Array:
        """Without a look at the values, for which the host would wait."""
        from portanet.backends.cupy import indices

        return indices.checked(index, size, names, wraps)

    def _scatter_getitem(self, g: Array, key: Any, shape: tuple[int, ...]) -> Array:
        if g.dtype.kind == "c":  # the device adds real numbers alone
            real, imag = (self._scatter_getitem(part, key, shape) for part in (g.real, g.imag))
            return real + 1j * imag
        fresh = self._cupy.zeros(shape, dtype=g.dtype)
        self._cupy.add.at(fresh, key, g)
        return fresh

    def _scatter_take(self, g: Array, indices: Array, axis: int, shape: tuple[int, ...]) -> Array:
        return self._scatter_getitem(g, (slice(None),) * axis + (indices,), shape)

    def _solve(self, a: Array, b: Array) -> Array:
        """Solve as the standard says: CuPy does not spread `a` and `b` over each other."""
        if b.ndim == 1:
            return self._solve(a, b[:, None])[..., 0]
        cupy, batch = self._cupy, np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
        a, b = (cupy.broadcast_to(x, (*batch, *x.shape[-2:])) for x in (a, b))
        return cupy.linalg.solve(a, b)
