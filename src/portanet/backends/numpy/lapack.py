"""LAPACK's and BLAS's routines, where SciPy is installed, which hands them out as they are.

NumPy's functions take three to five times as long on small matrices, and of triangular systems
they know nothing.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

_PREFIXES = {"f": "s", "d": "d", "F": "c", "D": "z"}
# Rows from which on BLAS, which takes `b` by rows, beats LAPACK: 16 µs to 25 for 64, 320 to 400 for
# 200 rows and as many right sides; of 10 rows both take 1.4.
_LARGE = 64


def solve_triangular(a: Any, b: Any, lower: bool, unit_diagonal: bool) -> np.ndarray | None:
    """Solve the triangular system of one matrix; None if that is no task for LAPACK."""
    if not _is_plain(a) or a.dtype != b.dtype or a.shape[0] != len(b) or not b.size:
        return None
    if b.ndim == 2 and len(a) >= _LARGE:
        return _solve_rows(a, b, lower, unit_diagonal)
    solve = _routine("trtrs", a.dtype.char)
    if solve is None:
        return None
    # LAPACK goes by columns: what lies by rows is the transpose.
    given, turned = (a, False) if a.flags.f_contiguous else (a.T, True)
    x, info = solve(given, b, lower ^ turned, turned, unit_diagonal)
    if info:
        raise np.linalg.LinAlgError("Singular matrix")
    return x


def _solve_rows(a: Any, b: Any, lower: bool, unit_diagonal: bool) -> np.ndarray | None:
    solve = _routine("trsm", a.dtype.char)
    if solve is None:
        return None
    if not (unit_diagonal or a.diagonal().all()):
        raise np.linalg.LinAlgError("Singular matrix")
    given, turned = (a.T, False) if a.flags.c_contiguous else (a, True)
    return solve(1.0, given, b.T, 1, lower ^ (not turned), turned, unit_diagonal).T


def cholesky(x: Any, upper: bool) -> np.ndarray | None:
    """Return the Cholesky factor of one matrix; None if that is no task for LAPACK."""
    factorise = _routine("potrf", x.dtype.char) if _is_plain(x) and x.size else None
    if factorise is None:
        return None
    factor, info = factorise(x.T, 0)
    if info:
        raise np.linalg.LinAlgError("Matrix is not positive definite")
    return factor.conj() if upper else factor.T


def _is_plain(a: Any) -> bool:
    square = a.ndim == 2 and a.shape[0] == a.shape[1]
    return square and a.dtype.char in _PREFIXES and a.dtype.isnative


@functools.cache
def _routine(name: str, char: str) -> Callable[..., Any] | None:
    """Return a routine for the dtype of a letter, None without SciPy."""
    try:
        from scipy.linalg import blas, lapack
    except ImportError:
        return None
    return getattr(blas if name == "trsm" else lapack, _PREFIXES[char] + name)
