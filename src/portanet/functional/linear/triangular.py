"""Linear systems whose matrix is triangular, or given by its Cholesky factor."""

from __future__ import annotations

from typing import Any

from portanet import checks
from portanet.errors import ShapeError
from portanet.functional.half import in_float32
from portanet.interface import array_namespace

__all__ = ["cho_solve", "solve_triangular"]


@in_float32
def solve_triangular(a: Any, b: Any, /, *, lower: bool = False, unit_diagonal: bool = False) -> Any:
    """Solve ``a x = b`` for triangular matrices `a`.

    Parameters
    ----------
    a : array, shape (..., n, n)
        Floating point numbers. The other triangle is not looked at.
    b : array, shape (n,) or (..., n, k)
        One right side, or stacks of columns, of the dtype of `a`; leading axes are broadcast.
    lower : bool, default False
        Which triangle of `a` counts.
    unit_diagonal : bool, default False
        Whether the diagonal is taken for ones, whatever it holds.

    Returns
    -------
    array, shape (..., n) or (..., n, k)
        The dtype of `a`; numbers of 16 bits are worked out in float32.

    Raises
    ------
    DTypeError
        If `a` and `b` are not of one floating point dtype.
    ShapeError
        If the shapes do not fit.

    Notes
    -----
    The derivative with respect to `a` is a triangle too. On NumPy, CuPy and array_api_strict, where
    the standard has nothing better, this costs as much as ``xp.linalg.solve``. Inside a function
    that is differentiated it is ``pn.array_namespace(a).linalg.solve_triangular`` as well.

    References
    ----------
    .. [1] M. B. Giles, "Collected Matrix Derivative Results for Forward and Reverse Mode
       Algorithmic Differentiation" (2008).

    Examples
    --------
    >>> import numpy as np
    >>> from portanet import functional
    >>> a = np.asarray([[2.0, 0.0], [1.0, 4.0]])
    >>> print(functional.solve_triangular(a, np.asarray([2.0, 9.0]), lower=True))
    [1. 2.]
    """
    _check("a", a, b)
    xp = array_namespace(a, b)
    return xp.linalg.solve_triangular(a, b, lower=lower, unit_diagonal=unit_diagonal)


@in_float32
def cho_solve(factor: Any, b: Any, /, *, upper: bool = False) -> Any:
    """Solve ``L Lᴴ x = b`` for the Cholesky factor ``L`` of a matrix.

    Parameters
    ----------
    factor : array, shape (..., n, n)
        What ``xp.linalg.cholesky`` returns. The other triangle is not looked at.
    b : array, shape (n,) or (..., n, k)
        One right side, or stacks of columns, of the dtype of `factor`; leading axes are broadcast.
    upper : bool, default False
        Whether `factor` is the upper one ``U`` of ``Uᴴ U x = b``.

    Returns
    -------
    array, shape (..., n) or (..., n, k)
        The dtype of `factor`; numbers of 16 bits are worked out in float32.

    Raises
    ------
    DTypeError
        If `factor` and `b` are not of one floating point dtype.
    ShapeError
        If the shapes do not fit.

    Examples
    --------
    >>> import numpy as np
    >>> from portanet import functional
    >>> factor = np.linalg.cholesky(np.asarray([[4.0, 2.0], [2.0, 5.0]]))
    >>> print(functional.cho_solve(factor, np.asarray([8.0, 16.0])))
    [0.5 3. ]
    """
    _check("factor", factor, b)
    return array_namespace(factor, b).linalg.cho_solve(factor, b, upper=upper)


def _check(name: str, a: Any, b: Any) -> None:
    checks.floating(name, a)
    checks.same_kind(name, a, "b", b)
    checks.rank_at_least(name, a, 2)
    checks.rank_at_least("b", b, 1)
    n = a.shape[-1]
    if a.shape[-2] != n:
        raise ShapeError(f"{name}.shape[-2] == {name}.shape[-1]: {a.shape[-2]} != {n}")
    rows = b.shape[-1 if b.ndim == 1 else -2]
    if rows != n:
        raise ShapeError(
            f"b has a row for each one of {name}: {rows} != {n}; their shapes are "
            f"{tuple(b.shape)} and {tuple(a.shape)}"
        )
