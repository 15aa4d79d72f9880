"""The standard's ``linalg``, which MLX computes on the CPU alone."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import mlx.core as mx
import numpy as np

from portanet_mlx.host import on_numpy

matmul, matrix_transpose = mx.matmul, mx.matrix_transpose
outer, tensordot = mx.outer, mx.tensordot


def _on_cpu(own: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(own)
    def function(*args: Any, **options: Any) -> Any:
        return own(*args, **options, stream=mx.cpu)

    return function


cross = _on_cpu(mx.linalg.cross)
eig, eigvals = _on_cpu(mx.linalg.eig), _on_cpu(mx.linalg.eigvals)
eigh, eigvalsh = _on_cpu(mx.linalg.eigh), _on_cpu(mx.linalg.eigvalsh)
inv, pinv = _on_cpu(mx.linalg.inv), _on_cpu(mx.linalg.pinv)
qr = _on_cpu(mx.linalg.qr)


class SlogdetResult(NamedTuple):
    """The sign of a determinant and the logarithm of its size."""

    sign: Any
    logabsdet: Any


def slogdet(x: Any, /) -> Any:
    return SlogdetResult(*map(mx.array, np.linalg.slogdet(np.array(x))))


def det(x: Any, /) -> Any:
    return on_numpy(np.linalg.det, x)


def matrix_power(x: Any, n: int, /) -> Any:
    return on_numpy(np.linalg.matrix_power, x, n=n)


def matrix_rank(x: Any, /, *, rtol: Any = None) -> Any:
    return on_numpy(np.linalg.matrix_rank, x, rtol=rtol)


def cholesky(x: Any, /, *, upper: bool = False) -> Any:
    return mx.linalg.cholesky(x, upper, stream=mx.cpu)


def solve(x1: Any, x2: Any, /) -> Any:
    columns = x2[:, None] if x2.ndim == 1 else x2
    batch = mx.broadcast_shapes(x1.shape[:-2], columns.shape[:-2])
    x1, columns = (mx.broadcast_to(x, (*batch, *x.shape[-2:])) for x in (x1, columns))
    x = mx.linalg.solve(x1, columns, stream=mx.cpu)
    return x[..., 0] if x2.ndim == 1 else x


def svd(x: Any, /, *, full_matrices: bool = True) -> Any:
    u, s, v = mx.linalg.svd(x, stream=mx.cpu)
    count = s.shape[-1]
    return (u, s, v) if full_matrices else (u[..., :count], s, v[..., :count, :])


def svdvals(x: Any, /) -> Any:
    return mx.linalg.svd(x, compute_uv=False, stream=mx.cpu)


def diagonal(x: Any, /, *, offset: int = 0) -> Any:
    return mx.diagonal(x, offset, -2, -1)


def trace(x: Any, /, *, offset: int = 0, dtype: Any = None) -> Any:
    return mx.sum(diagonal(x if dtype is None else x.astype(dtype), offset=offset), -1)


def vecdot(x: Any, y: Any, /, *, axis: int = -1) -> Any:
    return mx.sum(mx.conj(x) * y, axis)


def matrix_norm(x: Any, /, *, keepdims: bool = False, ord: Any = "fro") -> Any:
    return mx.linalg.norm(x, ord, (-2, -1), keepdims, stream=mx.cpu)


def vector_norm(x: Any, /, *, axis: Any = None, keepdims: bool = False, ord: Any = 2) -> Any:
    axes = tuple(range(x.ndim)) if axis is None else axis
    size = mx.abs(x)
    if ord == float("inf"):
        return mx.max(size, axes, keepdims)
    if ord == -float("inf"):
        return mx.min(size, axes, keepdims)
    if ord == 0:
        return mx.sum((x != 0).astype(size.dtype), axes, keepdims)
    return mx.sum(size**ord, axes, keepdims) ** (1 / ord)
