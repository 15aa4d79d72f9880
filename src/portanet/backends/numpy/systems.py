"""Linear systems whose matrix is triangular, by blocks, for NumPy.

LAPACK's general solver, the only one that NumPy has, factorises whatever it gets. With a corner of
zeros, as that of a Cholesky factor, a system falls into two of half the size and a product.
"""

from __future__ import annotations

from typing import Any

import numpy as np

_FROM = 64  # rows from which on looking for zeros pays
_BLOCK = 32  # rows of the systems that are solved as they are
_solve: Any = np.linalg.solve


def solve(a: Any, b: Any, /) -> Any:
    """Compute ``xp.linalg.solve``."""
    fits = a.ndim == 2 and b.ndim in (1, 2) and a.shape == (len(b), len(b))
    if fits and len(a) >= _FROM and a.dtype.char in "fdFD" and a.dtype == b.dtype:
        lower = not a[0, -1] and _is_lower(a)
        if lower or (not a[-1, 0] and _is_lower(a.T)):
            x = np.array(b)
            (_forward if lower else _backward)(a, x)
            return x
    return _solve(a, b)


def _is_lower(a: np.ndarray) -> bool:
    """Whether a matrix is zero above its diagonal, but for its blocks there."""
    half = len(a) // 2
    if len(a) <= _BLOCK:
        return True
    corner = a[:half, half:]
    return not corner.any() and _is_lower(a[:half, :half]) and _is_lower(a[half:, half:])


def _forward(a: np.ndarray, x: np.ndarray) -> None:
    """Solve ``a x = x`` for the blocks of a lower triangular matrix, one after the other."""
    half = len(a) // 2
    if len(a) <= _BLOCK:
        _solve_block(a, x)
        return
    _forward(a[:half, :half], x[:half])
    x[half:] -= a[half:, :half] @ x[:half]
    _forward(a[half:, half:], x[half:])


def _backward(a: np.ndarray, x: np.ndarray) -> None:
    half = len(a) // 2
    if len(a) <= _BLOCK:
        _solve_block(a, x)
        return
    _backward(a[half:, half:], x[half:])
    x[:half] -= a[:half, half:] @ x[half:]
    _backward(a[:half, :half], x[:half])


def _solve_block(a: np.ndarray, x: np.ndarray) -> None:
    # For many right sides a product takes a third of the time of a system.
    many = x.ndim == 2 and x.shape[1] > len(a)
    x[...] = np.linalg.inv(a) @ x if many else _solve(a, x)
