"""NumPy: the embedded default."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any

import numpy as np

from portanet import tape
from portanet.backends.numpy import functions, kernels
from portanet.backends.tape_backend import TapeBackend
from portanet.tape.numpy.box import NumPyBox
from portanet.tape.numpy.scipy_functions import Special


class NumPyBackend(TapeBackend):
    """Arrays of NumPy, differentiated by the tape."""

    name = "numpy"
    modules = ("numpy",)
    distribution = "numpy"
    jit = "source"
    gpu_order = None
    _modules = 0

    @property
    def xp(self) -> tape.Namespace:
        """The namespace, which learns of autograd and SciPy as soon as these are imported."""
        if len(sys.modules) != self._modules:
            self._learn()
        return self._namespace

    def _learn(self) -> None:
        """Look at the modules that were imported since the last time."""
        count = len(sys.modules)
        if "autograd.numpy" in sys.modules:
            from portanet.backends.numpy import autograd

            autograd.register(self._namespace)
        if "scipy.special" in sys.modules:
            from portanet.backends.numpy import scipy

            scipy.register()
        if "einops._backends" in sys.modules:
            importlib.import_module("portanet.backends.numpy.einops")
        self._modules = count

    @cached_property
    def _namespace(self) -> tape.Namespace:
        import array_api_compat.numpy as raw

        xp = tape.Namespace("numpy", raw, functions.FUNCTIONS, NumPyBox)
        vars(xp)["special"] = Special(xp)
        return xp

    @cached_property
    def kernels(self) -> Mapping[str, Callable[..., Any]]:
        return kernels.KERNELS

    def holds(self, kind: type) -> bool:
        """Whether such arrays calculate as the standard says, which masked ones do not."""
        return super().holds(kind) and not issubclass(kind, np.matrix | np.ma.MaskedArray)

    def device_of(self, x: Any) -> str:
        return "cpu"

    def from_numpy(self, x: np.ndarray, device: Any = None) -> np.ndarray:
        return np.asarray(x)

    def to_numpy(self, x: Any) -> np.ndarray:
        """Return an array as it is, in the order of bytes that other libraries take."""
        return np.asarray(x, x.dtype.newbyteorder("="))

    def fingerprint(self, x: Any) -> bytes:
        return x.tobytes()

    def may_share_memory(self, x: Any, y: Any) -> bool:
        return isinstance(x, np.ndarray) and isinstance(y, np.ndarray) and np.may_share_memory(x, y)

    def dtype_name(self, dtype: Any) -> str:
        """Return the name of a dtype, the same for every order of bytes."""
        return np.dtype(dtype).name

    def dtype(self, name: str) -> Any:
        return np.dtype(super().dtype(name))
