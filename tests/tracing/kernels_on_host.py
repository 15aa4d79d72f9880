"""The kernels of the CuPy adapter, called with NumPy's arrays: on the stand-in, or on a GPU."""

from __future__ import annotations

import cupy
import numpy as np
import pytest
from standin import can_compile

from portanet.backends.cupy import CuPyBackend

if not can_compile():
    pytest.skip("no g++ of 12 or later to compile kernels for the host", allow_module_level=True)


class KernelsOnHost(CuPyBackend):
    """The adapter, whose kernels take and give arrays of the host.

    Attributes
    ----------
    launches : int
    texts, row_texts : list
        What kernels were made of.
    """

    def __init__(self):
        self.launches = 0
        self.row_texts = []

    @property
    def texts(self):
        return list(self._elementwise)

    def elementwise_kernel(self, text):
        return self._on_host(super().elementwise_kernel(text))

    def row_kernel(self, text, shape):
        self.row_texts.append(text)
        return self._on_host(super().row_kernel(text, shape))

    def _on_host(self, kernel):
        def launch(*args):
            self.launches += 1
            there = [cupy.asarray(x) if isinstance(x, np.ndarray | np.generic) else x for x in args]
            done = kernel(*there)
            return tuple(map(cupy.asnumpy, done)) if isinstance(done, tuple) else cupy.asnumpy(done)

        return launch
