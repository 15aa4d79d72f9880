"""A stand-in for CuPy, for machines without a GPU.

It has the names of a release, which are in ``release-14.json``, and refuses the calls that the
release refuses. Its arrays are of a class of their own: NumPy cannot reach into them, numbers
come out of reductions as arrays without axes, indices beyond the ends wrap around, memory that
nobody wrote holds no zeros, and singular matrices raise nothing. Kernels are compiled for the
host. What cannot be seen here: work that is done later than it is called for, errors that
therefore come later, memory that is used after it was given back, and the last bits of the
device's functions.
"""

from __future__ import annotations

import numpy as _np
from cupy import _functions, _methods, _ufunc, cuda, exceptions, fft, lib, linalg
from cupy._array import ndarray
from cupy._kernels import ElementwiseKernel, ReductionKernel
from cupy._raw import RawKernel
from cupy._release import TABLE as _TABLE
from cupy._release import VERSION
from cupy._ufunc import ufunc

__version__ = VERSION
_methods.add_to(ndarray)
for _name in {n for n in dir(ndarray) if not n.startswith("_")} - {*_TABLE["cupy.ndarray"]}:
    delattr(ndarray, _name)
_MAIN = _TABLE["cupy"]
globals().update({name: getattr(_np, name) for name in _MAIN["same as NumPy's"]})
globals().update(_functions.functions_of("cupy", _functions.OWN, _np))
globals().update(_ufunc.UFUNCS)

is_available = cuda.is_available


def get_default_memory_pool() -> cuda.MemoryPool:
    return cuda.MemoryPool()


__all__ = [
    *_MAIN["same as NumPy's"], *_MAIN["functions"], *_MAIN["ufuncs"], "ElementwiseKernel",
    "RawKernel", "ReductionKernel", "cuda", "exceptions", "fft", "lib", "linalg", "ndarray",
    "ufunc",
]  # fmt: skip
