"""``cupy.linalg``: no half precision, and of singular matrices no word but strange numbers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from cupy._array import dtype_of, host, ndarray, wrap
from cupy._functions import functions_of, lifted
from cupy._functions import matmul as matmul
from cupy._release import TABLE
from cupy._ufunc import UFUNCS
from numpy.linalg import LinAlgError

# CuPy looks at what cuSOLVER says of the values only if it is asked to, for which it would wait.
SQUARE = {"cholesky", "det", "eig", "eigh", "eigvals", "eigvalsh", "inv", "slogdet", "solve"}
CALCULATING = SQUARE | {"lstsq", "pinv", "qr", "svd"}


def _checked(name: str) -> Callable[..., Any]:
    library = lifted(f"linalg.{name}", getattr(np.linalg, name), _SIGNATURES[name])

    def call(a: Any, *args: Any, **options: Any) -> Any:
        if not isinstance(a, ndarray):
            raise LinAlgError("cupy.linalg only supports cupy.ndarray")
        if a.ndim < 2:
            raise LinAlgError(f"{a.ndim}-dimensional array given. Array must be two-dimensional")
        if name in SQUARE and a.shape[-2] != a.shape[-1]:
            raise LinAlgError("Last 2 dimensions of the array must be square")
        if any(x.dtype == np.float16 for x in (a, *args) if isinstance(x, ndarray)):
            raise TypeError("float16 is unsupported in linalg")
        try:
            return library(a, *args, **options)
        except LinAlgError:
            return _undefined(name, a, *args)

    call.__name__, call.__signature__ = name, library.__signature__
    return call


def _undefined(name: str, a: ndarray, b: ndarray | None = None) -> Any:
    """Return numbers that mean nothing, of the right shape, where NumPy raises."""
    shape = (a if b is None else b).shape
    dtype = np.result_type(a.dtype, np.float32 if a.dtype.kind in "fc" else np.float64)
    whole = wrap(np.full(shape, np.nan, dtype_of(dtype)))
    if name not in ("cholesky", "inv", "solve"):
        raise NotImplementedError(f"the stand-in does not know what cupy.linalg.{name} gives here")
    return whole


def solve(a, b):
    if b.ndim == 1:
        if a.shape[-1] != b.size:
            raise ValueError("a must have (..., M, M) shape and b must have (M,)")
        b = wrap(np.broadcast_to(host(b), a.shape[:-1]).copy())
        return _solve(a, b[..., None])[..., 0] if a.ndim > 2 else _solve(a, b)
    if b.ndim == 0 or a.shape[:-1] != b.shape[:-1]:
        raise ValueError("a must have (..., M, M) shape and b must have (..., M, K)")
    return _solve(a, b)


def norm(x, ord=None, axis=None, keepdims=False):
    of_vectors = isinstance(axis, int) or (axis is None and (ord is None or x.ndim < 2))
    if ord in (None, 2) and of_vectors:
        squares = x.real**2 + x.imag**2 if x.dtype.kind == "c" else x * x
        return UFUNCS["sqrt"](squares.sum(axis, keepdims=keepdims))
    return _norm(x, ord, axis, keepdims)


_SIGNATURES = TABLE["cupy.linalg"]["functions"]
_solve = _checked("solve")
_norm = lifted("linalg.norm", np.linalg.norm, _SIGNATURES["norm"])
_OWN = {name: _checked(name) for name in CALCULATING & _SIGNATURES.keys()} | {
    "matmul": matmul, "norm": norm, "solve": solve
}  # fmt: skip
_FUNCTIONS = functions_of("cupy.linalg", _OWN, np.linalg)
globals().update(_FUNCTIONS)
__all__ = ["LinAlgError", *_FUNCTIONS]
