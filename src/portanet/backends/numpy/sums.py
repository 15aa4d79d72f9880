"""Sums and means on NumPy that do not stall: of half precision in float32, long ones in blocks.

NumPy adds pairwise along the axis that lies closest in memory, and one by one along all others: a
sum of a million equal numbers of float32 is 1 % off, and one of float16 stops at 2048. The product
of a block with a row of ones is a sum that reads fast; those of the blocks are added the same way.
"""

from __future__ import annotations

import functools
import math
from typing import Any

import numpy as np

Array = Any
Axis = int | tuple[int, ...] | None
_BLOCK = 256  # terms: fewer are added directly, with an error of at most so many roundings
_SINGLE = "fF"
_HALF = "e"
_NARROW = _SINGLE + _HALF
_MEANS = "efdgFDG"  # dtypes of which there is a mean without another dtype
_add_up: Any = np.add.reduce  # typed loosely: NumPy's types know keepdims as a keyword only
_norm: Any = np.linalg.vector_norm


def sum(
    x: Array, /, *, axis: Axis = None, dtype: Any = None, keepdims: bool = False, out: Any = None
) -> Array:
    """Compute ``xp.sum``."""
    if dtype is not None or (x.size <= _BLOCK and x.itemsize != 2):
        return _add_up(x, axis, dtype, out, keepdims)
    char = x.dtype.char
    if char == _HALF:
        return _rounded(_total(x.astype(np.float32), axis, keepdims, None), out)
    if char in _SINGLE:
        return _total(x, axis, keepdims, out)
    return _add_up(x, axis, dtype, out, keepdims)


def cumulative_sum(
    x: Array, /, *, axis: int | None = None, dtype: Any = None, include_initial: bool = False
) -> Array:
    """Compute ``xp.cumulative_sum``."""
    if dtype is None and x.dtype.char == _HALF:
        wide = x.astype(np.float32)
        total = np.cumulative_sum(wide, axis=axis, include_initial=include_initial)
        return total.astype(x.dtype)
    return np.cumulative_sum(x, axis=axis, dtype=dtype, include_initial=include_initial)


def mean(x: Array, /, *, axis: Axis = None, keepdims: bool = False, out: Any = None) -> Array:
    """Compute ``xp.mean``."""
    char, size = x.dtype.char, x.size
    if not size or char not in _MEANS:
        return np.mean(x, axis=axis, out=out, keepdims=keepdims)
    if char == _HALF:
        return _rounded(mean(x.astype(np.float32), axis=axis, keepdims=keepdims), out)
    if size <= _BLOCK or char not in _SINGLE:
        total = _add_up(x, axis, None, out, keepdims)
    else:
        total = _total(x, axis, keepdims, out)
    count = size // total.size
    return total / count if out is None else np.divide(out, count, out)


def var(
    x: Array, /, *, axis: Axis = None, correction: float = 0.0, keepdims: bool = False
) -> Array:
    """Compute ``xp.var``."""
    if x.dtype.char not in _NARROW or not x.size:
        return np.var(x, axis=axis, ddof=correction, keepdims=keepdims)  # pyright: ignore
    wide = x.astype(np.float32) if x.dtype.char == _HALF else x
    total = sum(_squares(wide - mean(wide, axis=axis, keepdims=True)), axis=axis, keepdims=keepdims)
    freedom = x.size // total.size - correction
    if freedom <= 0:
        return np.var(x, axis=axis, ddof=correction, keepdims=keepdims)  # pyright: ignore
    return (total / freedom).astype(_real(x.dtype))


def std(
    x: Array, /, *, axis: Axis = None, correction: float = 0.0, keepdims: bool = False
) -> Array:
    """Compute ``xp.std``."""
    if x.dtype.char == _HALF:
        wide = x.astype(np.float32)
        return std(wide, axis=axis, correction=correction, keepdims=keepdims).astype(x.dtype)
    return np.sqrt(var(x, axis=axis, correction=correction, keepdims=keepdims))


def vector_norm(x: Array, /, *, axis: Axis = None, keepdims: bool = False, ord: Any = 2) -> Array:
    """Compute ``xp.linalg.vector_norm``."""
    if x.dtype.char == _HALF:
        wide = x.astype(np.float32)
        return vector_norm(wide, axis=axis, keepdims=keepdims, ord=ord).astype(x.dtype)
    if ord != 2 or x.dtype.char not in _SINGLE:
        return _norm(x, axis=axis, keepdims=keepdims, ord=ord)
    return np.sqrt(sum(_squares(x), axis=axis, keepdims=keepdims))


def matrix_norm(x: Array, /, *, keepdims: bool = False, ord: Any = "fro") -> Array:
    """Compute ``xp.linalg.matrix_norm``."""
    if x.dtype.char != _HALF:
        return np.linalg.matrix_norm(x, keepdims=keepdims, ord=ord)
    return np.linalg.matrix_norm(x.astype(np.float32), keepdims=keepdims, ord=ord).astype(x.dtype)


def _squares(x: Array) -> Array:
    if x.dtype.kind != "c":
        return x * x
    return x.real * x.real + x.imag * x.imag


def _real(dtype: np.dtype) -> np.dtype:
    return np.dtype(np.float32) if dtype.char == "F" else dtype


def _rounded(total: Array, out: Array | None) -> Array:
    if out is None:
        return total.astype(np.float16)
    out[...] = total
    return out


def _total(x: Array, axis: Axis, keepdims: bool, out: Array | None) -> Array:
    if _is_short(x, axis):
        return _add_up(x, axis, None, out, keepdims)
    axes = range(x.ndim) if axis is None else (axis,) if isinstance(axis, int) else axis
    reduced = {a % x.ndim for a in axes}
    y = _in_groups(x, reduced)
    if not keepdims:
        y = y.reshape([n for i, n in enumerate(y.shape) if i not in reduced])
    if out is None:
        return y if y.ndim else y[()]
    out[...] = y
    return out


def _is_short(x: Array, axis: Any) -> bool:
    """Whether so few numbers are added, or memory is read in order, that NumPy does it well."""
    if axis is None or x.ndim == 0:  # of a number NumPy takes an axis too
        return x.flags.c_contiguous or x.flags.f_contiguous
    if type(axis) is int:
        in_order = axis in (-1, x.ndim - 1) and x.flags.c_contiguous
        return x.shape[axis] <= _BLOCK or in_order
    return math.prod(x.shape[a] for a in axis) <= _BLOCK


def _in_groups(x: Array, reduced: set[int]) -> Array:
    """Sum over neighbouring axes together, from the last in memory to the first."""
    order = sorted(range(x.ndim), key=lambda axis: -abs(x.strides[axis]))
    y, groups = x.transpose(order), []
    for axis in order:
        mine = axis in reduced
        if groups and groups[-1][0] == mine:
            groups[-1][1] *= x.shape[axis]
        else:
            groups.append([mine, x.shape[axis]])
    sizes = [n for _, n in groups]
    y = y.reshape(sizes)
    for i in reversed(range(len(groups))):
        if groups[i][0]:
            rows = y.reshape(math.prod(sizes[:i]), sizes[i], math.prod(sizes[i + 1 :]))
            sizes[i] = 1
            y = _sum_of_rows(rows).reshape(sizes)
    y = y.reshape([1 if axis in reduced else x.shape[axis] for axis in order])
    return y.transpose(np.argsort(order))


def _sum_of_rows(x: Array) -> Array:
    """Sum over the second of three axes."""
    if x.shape[2] == 1 and x.shape[1] > 1:
        return _add_up(np.ascontiguousarray(x[:, :, 0]), 1)
    while x.shape[1] > _BLOCK:
        count, rest = divmod(x.shape[1], _BLOCK)
        whole = x[:, : count * _BLOCK].reshape(x.shape[0], count, _BLOCK, x.shape[2])
        parts = np.matmul(_ones(_BLOCK, x.dtype), whole)
        if rest:
            last = np.matmul(_ones(rest, x.dtype), x[:, -rest:])
            parts = np.concatenate([parts, last[:, None]], axis=1)
        x = parts
    return np.matmul(_ones(x.shape[1], x.dtype), x)


@functools.lru_cache(maxsize=2 * _BLOCK)
def _ones(n: int, dtype: Any) -> Array:
    return np.ones(n, dtype)
