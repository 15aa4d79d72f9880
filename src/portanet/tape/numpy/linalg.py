"""NumPy's own ``np.linalg`` and ``np.fft``, called on traced arrays.

Each body turns NumPy's signature into the standard's. ``eig`` and ``eigvals`` give complex
arrays, as the standard has it, where NumPy gives real ones if it can.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from typing import Any

import numpy as np

from portanet.errors import NoDerivativeError
from portanet.tape.numpy.operands import NOT_GIVEN, array, axes, constant


def _standard(name: str, count: int = 1) -> Callable[..., Any]:
    """The function of the standard called `name`, such as ``linalg.inv``, of `count` arrays."""
    find = operator.attrgetter(name)
    if count == 2:
        return lambda xp, a, b, **options: find(xp)(array(xp, a), array(xp, b), **options)
    return lambda xp, a, **options: find(xp)(a, **options)


def _one_axis(name: str) -> Callable[..., Any]:
    def function(
        xp: Any, a: Any, n: Any = None, axis: int = -1, norm: str | None = None, out: Any = None
    ) -> Any:
        return getattr(xp.fft, name)(a, n=n, axis=axis, norm=norm)

    return function


def _several_axes(name: str, default: tuple[int, int] | None = None) -> Callable[..., Any]:
    def function(
        xp: Any, a: Any, s: Any = None, axes: Any = default, norm: str | None = None,
        out: Any = None,
    ) -> Any:  # fmt: skip
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


def _pinv(
    xp: Any, a: Any, rcond: Any = None, hermitian: bool = False, *, rtol: Any = NOT_GIVEN
) -> Any:
    return xp.linalg.pinv(a, rtol=rcond if rtol is NOT_GIVEN else rtol)


def _matrix_rank(
    xp: Any, A: Any, tol: Any = None, hermitian: bool = False, *, rtol: Any = None
) -> Any:
    given = {"tol": tol, "hermitian": hermitian, "rtol": rtol}
    return constant(xp, np.linalg.matrix_rank)(A, **{k: v for k, v in given.items() if v})


def _matrix_power(xp: Any, a: Any, n: int) -> Any:
    return xp.linalg.matrix_power(a, n)


def _norm(xp: Any, x: Any, ord: Any = None, axis: Any = None, keepdims: bool = False) -> Any:
    axis = axes(axis)
    if axis is None and ord is not None:
        axis = tuple(range(x.ndim))
    if isinstance(axis, int) or axis is None or len(axis) == 1:
        order = 2 if ord is None else ord
        return xp.linalg.vector_norm(x, axis=axis, keepdims=keepdims, ord=order)
    x = xp.moveaxis(x, axis, (-2, -1))
    norm = xp.linalg.matrix_norm(x, keepdims=keepdims, ord="fro" if ord is None else ord)
    return xp.moveaxis(norm, (-2, -1), axis) if keepdims else norm


def _cond(xp: Any, x: Any, p: Any = None) -> Any:
    if p in (None, 2, -2):
        s = xp.linalg.svdvals(x)
        return s[..., -1] / s[..., 0] if p == -2 else s[..., 0] / s[..., -1]
    inverse = xp.linalg.inv(x)
    return _norm(xp, x, p, (-2, -1)) * _norm(xp, inverse, p, (-2, -1))


def _tensorinv(xp: Any, a: Any, ind: int = 2) -> Any:
    rows = math.prod(a.shape[ind:])
    inverse = xp.linalg.inv(xp.reshape(a, (rows, -1)))
    return xp.reshape(inverse, (*a.shape[ind:], *a.shape[:ind]))


def _tensorsolve(xp: Any, a: Any, b: Any, axes: Any = None) -> Any:
    a, b = array(xp, a), array(xp, b)
    if axes is not None:
        last = [axis % a.ndim for axis in axes]
        a = xp.permute_dims(a, (*(i for i in range(a.ndim) if i not in last), *last))
    solution = xp.linalg.solve(xp.reshape(a, (b.size, -1)), xp.reshape(b, (-1,)))
    return xp.reshape(solution, a.shape[b.ndim :])


_OF_ONE = (
    "cholesky", "det", "diagonal", "eig", "eigvals", "inv", "matrix_norm", "matrix_transpose",
    "slogdet", "svdvals", "trace", "vector_norm",
)  # fmt: skip
_OF_TWO = ("cross", "matmul", "outer", "solve", "tensordot", "vecdot")
_TRANSFORMS = ("fft", "ifft", "rfft", "irfft")

FUNCTIONS: dict[str, Callable[..., Any]] = {
    **{f"linalg.{name}": _standard(f"linalg.{name}") for name in _OF_ONE},
    **{f"linalg.{name}": _standard(f"linalg.{name}", 2) for name in _OF_TWO},
    **{f"linalg.{name}": _symmetric(name) for name in ("eigh", "eigvalsh")},
    "linalg.cond": _cond,
    "linalg.matrix_power": _matrix_power,
    "linalg.matrix_rank": _matrix_rank,
    "linalg.norm": _norm,
    "linalg.pinv": _pinv,
    "linalg.qr": _qr,
    "linalg.svd": _svd,
    "linalg.tensorinv": _tensorinv,
    "linalg.tensorsolve": _tensorsolve,
    **{f"fft.{name}": _one_axis(name) for name in (*_TRANSFORMS, "hfft", "ihfft")},
    **{f"fft.{name}n": _several_axes(f"{name}n") for name in _TRANSFORMS},
    **{f"fft.{name}2": _several_axes(f"{name}n", (-2, -1)) for name in _TRANSFORMS},
    **{f"fft.{name}": _shift(name) for name in ("fftshift", "ifftshift")},
}
