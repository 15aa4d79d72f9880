"""Linear systems whose matrix is triangular, by blocks, for NumPy.

LAPACK's general solver, the only one that NumPy has, factorises whatever it gets. With a corner of
zeros, as that of a Cholesky factor, a system falls into two of half the size and a product.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import array_api_compat.numpy
import numpy as np

from portanet.backends.numpy import lapack

_FROM = 64  # rows from which on looking for zeros pays
_BLOCK = 32  # rows of the systems that are solved as they are
_Block = Callable[[np.ndarray], np.ndarray]
_solve: Any = np.linalg.solve


def solve(a: Any, b: Any, /) -> Any:
    """Compute ``xp.linalg.solve``."""
    if _fits(a, b):
        lower = not a[0, -1] and _is_lower(a)
        if lower or (not a[-1, 0] and _is_lower(a.T)):
            return _by_blocks(a, b, lower, lambda block: block)
    return _solve(a, b)


def solve_triangular(a: Any, b: Any, /, *, lower: bool = False, unit_diagonal: bool = False) -> Any:
    """Compute ``xp.linalg.solve_triangular``."""
    x = lapack.solve_triangular(a, b, lower, unit_diagonal) if b.ndim in (1, 2) else None
    if x is not None:
        return x

    def triangle(x: Any) -> Any:
        n = x.shape[-1]
        counts = _counts if n <= _FROM else _counts.__wrapped__  # large ones are not kept
        part = np.where(counts(n, lower, unit_diagonal), x, 0)
        return part + np.eye(n, dtype=x.dtype) if unit_diagonal else part

    if _fits(a, b):
        return _by_blocks(a, b, lower, triangle)
    a = triangle(a)
    if not lower:
        return _solve(a, b)
    a = a[..., ::-1, ::-1]  # an upper one, of which the factorisation changes nothing
    return _solve(a, b[::-1])[::-1] if b.ndim == 1 else _solve(a, b[..., ::-1, :])[..., ::-1, :]


def cholesky(x: Any, /, *, upper: bool = False) -> Any:
    """Compute ``xp.linalg.cholesky``."""
    factor = lapack.cholesky(x, upper)
    return array_api_compat.numpy.linalg.cholesky(x, upper=upper) if factor is None else factor


def tril(x: Any, /, *, k: int = 0) -> Any:
    """Compute ``xp.tril`` with a mask that is kept, where the matrices are small."""
    if x.ndim != 2 or x.shape[0] != x.shape[1] or len(x) > _FROM or not -1 <= k <= 0:
        return np.tril(x, k)
    return np.where(_counts(len(x), True, k == -1), x, x.dtype.type(0))


def triu(x: Any, /, *, k: int = 0) -> Any:
    """Compute ``xp.triu`` in the same way."""
    return tril(x.mT, k=-k).mT if x.ndim == 2 and 0 <= k <= 1 else np.triu(x, k)


@functools.lru_cache(maxsize=128)
def _counts(n: int, lower: bool, unit_diagonal: bool) -> np.ndarray:
    """Return which entries of a triangular matrix are read."""
    ones, k = np.ones((n, n), np.bool_), int(unit_diagonal)
    return np.tril(ones, -k) if lower else np.triu(ones, k)


def _fits(a: Any, b: Any) -> bool:
    """Whether a system is one of many rows of real or complex numbers."""
    square = a.ndim == 2 and b.ndim in (1, 2) and a.shape == (len(b), len(b))
    return square and len(a) >= _FROM and a.dtype.char in "fdFD" and a.dtype == b.dtype


def _is_lower(a: np.ndarray) -> bool:
    """Whether a matrix is zero above its diagonal, but for its blocks there."""
    half = len(a) // 2
    if len(a) <= _BLOCK:
        return True
    corner = a[:half, half:]
    return not corner.any() and _is_lower(a[:half, :half]) and _is_lower(a[half:, half:])


def _by_blocks(a: np.ndarray, b: np.ndarray, lower: bool, block: _Block) -> np.ndarray:
    """Solve a triangular system; ``block(x)`` is what counts of one of its diagonal blocks."""
    x = np.array(b)
    _substitute(a, x, lower, block)
    return x


def _substitute(a: np.ndarray, x: np.ndarray, lower: bool, block: _Block) -> None:
    """Put the solution of ``a y = x`` into `x`, one half of the rows after the other."""
    if len(a) <= _BLOCK:
        _solve_block(block(a), x, lower)
        return
    upper_half, lower_half = slice(0, len(a) // 2), slice(len(a) // 2, None)
    first, then = (upper_half, lower_half) if lower else (lower_half, upper_half)
    _substitute(a[first, first], x[first], lower, block)
    x[then] -= a[then, first] @ x[first]
    _substitute(a[then, then], x[then], lower, block)


def _solve_block(a: np.ndarray, x: np.ndarray, lower: bool) -> None:
    if lower:
        a, x = a[::-1, ::-1], x[::-1]
    # For many right sides a product takes a third of the time of a system.
    many = x.ndim == 2 and x.shape[1] > len(a)
    x[...] = np.dot(np.linalg.inv(a), x) if many else _solve(a, x)
