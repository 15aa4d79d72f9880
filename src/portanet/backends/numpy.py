"""NumPy: the embedded default."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Any

import numpy as np

from portanet import tape
from portanet.backends import numpy_kernels
from portanet.backends.base import TapeBackend
from portanet.tape.numpy_box import NumPyBox


def _scatter_getitem(g: Any, key: Any, shape: tuple[int, ...]) -> np.ndarray:
    fresh = np.zeros(shape, dtype=g.dtype)
    np.add.at(fresh, key, g)
    return fresh


def _scatter_take(g: Any, indices: Any, axis: int, shape: tuple[int, ...]) -> np.ndarray:
    return _scatter_getitem(g, (slice(None),) * axis + (indices,), shape)


class NumPyBackend(TapeBackend):
    """Arrays of NumPy, differentiated by the tape."""

    name = "numpy"
    modules = ("numpy",)
    distribution = "numpy"

    @cached_property
    def xp(self) -> tape.Namespace:
        import array_api_compat.numpy as raw

        kernels = {"scatter_getitem": _scatter_getitem, "scatter_take": _scatter_take}
        return tape.Namespace("numpy", raw, kernels, NumPyBox)

    @cached_property
    def kernels(self) -> dict[str, Callable[..., Any]]:
        return {"adam_update": numpy_kernels.adam_update}

    def device_of(self, x: Any) -> str:
        return "cpu"

    def from_numpy(self, x: np.ndarray, device: Any = None) -> np.ndarray:
        return np.asarray(x)

    def to_numpy(self, x: Any) -> np.ndarray:
        return np.asarray(x)

    def dtype(self, name: str) -> Any:
        return np.dtype(super().dtype(name))
