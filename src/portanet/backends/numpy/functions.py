"""Short ways to functions of the standard that NumPy and array_api_compat reach by long ones.

On small arrays the Python code between ``np.sum`` and the loop in C costs more than the loop.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import array_api_compat.numpy
import numpy as np

from portanet.backends.numpy import activations, scatter, selecting, sums, systems
from portanet.tape.ops import products
from portanet.tape.ops.extremes import has_short_rows

Axis = int | tuple[int, ...] | None
_SMALL = 4096  # entries that are sooner copied than viewed
_largest: Any = np.maximum.reduce  # typed loosely: NumPy's types know keepdims as a keyword only
_smallest: Any = np.minimum.reduce


def _max(x: Any, /, *, axis: Axis = None, keepdims: bool = False) -> Any:
    return _extreme(_largest, x, axis, keepdims)


def _min(x: Any, /, *, axis: Axis = None, keepdims: bool = False) -> Any:
    return _extreme(_smallest, x, axis, keepdims)


def _extreme(reduce: Any, x: Any, axis: Axis, keepdims: bool) -> Any:
    if not has_short_rows(x.shape, axis):
        return reduce(x, axis, None, None, keepdims)
    y = reduce(x.reshape(-1, x.shape[-1]).T.copy(), 0)
    return y.reshape((*x.shape[:-1], 1) if keepdims else x.shape[:-1])


def _reshape(x: Any, /, shape: tuple[int, ...], *, copy: bool | None = None) -> Any:
    return x.reshape(shape) if copy is None else np.reshape(x, shape, copy=copy)


def _permute_dims(x: Any, /, axes: tuple[int, ...]) -> Any:
    return x.transpose(axes)


def _matmul(x: Any, y: Any, /) -> Any:
    if x.ndim == 2 and y.ndim == 2:
        return np.dot(x, y)
    # Of stacks of matrices, those that are turned over take twice as long.
    many = y.ndim > 2 and x.ndim > 1 and x.shape[-2] >= products.MANY
    turned = many and y.strides[-1] != y.itemsize
    return np.matmul(x, np.ascontiguousarray(y) if turned else y)


def _matrix_transpose(x: Any, /) -> Any:
    return x.mT


def _broadcast_to(x: Any, /, shape: tuple[int, ...]) -> Any:
    if type(shape) is not tuple or math.prod(shape) > _SMALL or x.ndim > len(shape):
        return np.broadcast_to(x, shape)
    y = np.empty(shape, x.dtype)
    y[...] = x
    return y


def _clip(x: Any, /, min: Any = None, max: Any = None) -> Any:
    # array_api_compat 1.16 refuses the other order of bytes, and writes into bounds of integers.
    if not x.dtype.isnative:
        x = x.astype(x.dtype.newbyteorder("="))
    if x.dtype.kind in "iu":
        min, max = (b.copy() if isinstance(b, np.ndarray) else b for b in (min, max))
    return array_api_compat.numpy.clip(x, min, max)


FUNCTIONS: Mapping[str, Callable[..., Any]] = {
    **scatter.FUNCTIONS,
    "broadcast_to": _broadcast_to,
    "clip": _clip,
    "clip_between": _clip,
    "cumulative_sum": sums.cumulative_sum,
    "linalg.cholesky": systems.cholesky,
    "linalg.matrix_norm": sums.matrix_norm,
    "linalg.solve": systems.solve,
    "linalg.solve_triangular": systems.solve_triangular,
    "linalg.vector_norm": sums.vector_norm,
    "logaddexp_share": activations.logaddexp_share,
    "logistic": activations.sigmoid,
    "matmul": _matmul,
    "matrix_transpose": _matrix_transpose,
    "max": _max,
    "mean": sums.mean,
    "min": _min,
    "permute_dims": _permute_dims,
    "reshape": _reshape,
    "std": sums.std,
    "sum": sums.sum,
    "tril": systems.tril,
    "triu": systems.triu,
    "var": sums.var,
    "where": selecting.where,
}
