"""NumPy's own ``np.linalg``, ``np.fft`` and matrix functions, called on traced arrays.

Each body turns NumPy's signature into the standard's. ``eig`` and ``eigvals`` give complex
arrays, as the standard has it, where NumPy gives real ones if it can.
"""

from __future__ import annotations

import functools
import operator
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from portanet.errors import NoDerivativeError
from portanet.tape.box import strip


def _standard(name: str) -> Callable[..., Any]:
    """The function of the standard called `name`, such as ``linalg.inv``."""
    find = operator.attrgetter(name)
    return lambda xp, *args, **options: find(xp)(*args, **options)


def _one_axis(name: str) -> Callable[..., Any]:
    def function(xp: Any, a: Any, n: Any = None, axis: int = -1, norm: str | None = None) -> Any:
        return getattr(xp.fft, name)(a, n=n, axis=axis, norm=norm)

    return function


def _several_axes(name: str, default: tuple[int, int] | None = None) -> Callable[..., Any]:
    def function(
        xp: Any, a: Any, s: Any = None, axes: Any = default, norm: str | None = None
    ) -> Any:
        return getattr(xp.fft, name)(a, s=s, axes=axes, norm=norm)

    return function


def _shift(name: str) -> Callable[..., Any]:
    return lambda xp, x, axes=None: getattr(xp.fft, name)(x, axes=axes)


def _symmetric(name: str) -> Callable[..., Any]:
    return lambda xp, a, UPLO="L": getattr(xp.linalg, name)(a, UPLO=UPLO)


def _svd(
    xp: Any, a: Any, full_matrices: bool = True, compute_uv: bool = True, hermitian: bool = False
) -> Any:
    if not compute_uv:
        return xp.linalg.svdvals(a)
    return xp.linalg.svd(a, full_matrices=full_matrices)


def _qr(xp: Any, a: Any, mode: str = "reduced") -> Any:
    if mode == "raw":
        raise NoDerivativeError(
            "numpy.linalg.qr with mode='raw' has no derivative rule: use 'reduced'"
        )
    return xp.linalg.qr(a).R if mode == "r" else xp.linalg.qr(a, mode=mode)


def _pinv(xp: Any, a: Any, rcond: Any = None, hermitian: bool = False, *, rtol: Any = None) -> Any:
    return xp.linalg.pinv(a, rtol=rcond if rtol is None else rtol)


def _matrix_rank(xp: Any, A: Any, *args: Any, **options: Any) -> Any:
    return np.linalg.matrix_rank(strip(A), *args, **options)


def _norm(xp: Any, x: Any, ord: Any = None, axis: Any = None, keepdims: bool = False) -> Any:
    if axis is None and ord is not None:
        axis = tuple(range(x.ndim))
    if isinstance(axis, int) or axis is None or len(axis) == 1:
        order = 2 if ord is None else ord
        return xp.linalg.vector_norm(x, axis=axis, keepdims=keepdims, ord=order)
    x = xp.moveaxis(x, axis, (-2, -1))
    norm = xp.linalg.matrix_norm(x, keepdims=keepdims, ord=ord)
    return xp.moveaxis(norm, (-2, -1), axis) if keepdims else norm


def _multi_dot(xp: Any, arrays: Sequence[Any]) -> Any:
    return functools.reduce(xp.matmul, arrays)


def _diagonal(xp: Any, a: Any, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Any:
    return xp.linalg.diagonal(xp.moveaxis(a, (axis1, axis2), (-2, -1)), offset=offset)


def _trace(
    xp: Any, a: Any, offset: int = 0, axis1: int = 0, axis2: int = 1, dtype: Any = None
) -> Any:
    moved = xp.moveaxis(a, (axis1, axis2), (-2, -1))
    return xp.linalg.trace(moved, offset=offset, dtype=dtype)


def _cross(
    xp: Any, a: Any, b: Any, axisa: int = -1, axisb: int = -1, axisc: int = -1, axis: Any = None
) -> Any:
    if axis is not None:
        axisa = axisb = axisc = axis
    a, b = xp.moveaxis(a, axisa, -1), xp.moveaxis(b, axisb, -1)
    return xp.moveaxis(xp.linalg.cross(a, b), -1, axisc)


def _outer(xp: Any, a: Any, b: Any) -> Any:
    return xp.linalg.outer(xp.reshape(a, (-1,)), xp.reshape(b, (-1,)))


_SAME = (
    "cholesky", "cross", "det", "diagonal", "eig", "eigvals", "inv", "matmul", "matrix_norm",
    "matrix_power", "matrix_transpose", "outer", "slogdet", "solve", "svdvals",
    "tensordot", "trace", "vecdot", "vector_norm",
)  # fmt: skip

FUNCTIONS: dict[str, Callable[..., Any]] = {
    **{f"linalg.{name}": _standard(f"linalg.{name}") for name in _SAME},
    **{f"linalg.{name}": _symmetric(name) for name in ("eigh", "eigvalsh")},
    "linalg.matrix_rank": _matrix_rank,
    "linalg.multi_dot": _multi_dot,
    "linalg.norm": _norm,
    "linalg.pinv": _pinv,
    "linalg.qr": _qr,
    "linalg.svd": _svd,
    **{
        f"fft.{name}": _one_axis(name) for name in ("fft", "ifft", "rfft", "irfft", "hfft", "ihfft")
    },
    **{f"fft.{name}n": _several_axes(f"{name}n") for name in ("fft", "ifft", "rfft", "irfft")},
    **{
        f"fft.{name}2": _several_axes(f"{name}n", (-2, -1))
        for name in ("fft", "ifft", "rfft", "irfft")
    },
    **{f"fft.{name}": _shift(name) for name in ("fftshift", "ifftshift")},
    "cross": _cross,
    "diagonal": _diagonal,
    "outer": _outer,
    "trace": _trace,
}
