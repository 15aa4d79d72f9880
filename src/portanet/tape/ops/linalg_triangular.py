"""Cards of the linear systems of triangular matrices, and of those that Cholesky has factorised."""

from __future__ import annotations

from typing import Any

from portanet.tape.ops.card import Card
from portanet.tape.ops.linalg_helpers import adjoint, identity
from portanet.tape.ops.linalg_solve import Solve, solve_batch, spread_solve


def _triangle(xp: Any, x: Any, lower: bool, unit_diagonal: bool = False) -> Any:
    """What counts of matrices: a triangle, without the diagonal where that is taken for ones."""
    k = int(unit_diagonal)
    return xp.tril(x, k=-k) if lower else xp.triu(x, k=k)


def _solve_triangular(
    xp: Any, a: Any, b: Any, *, lower: bool = False, unit_diagonal: bool = False
) -> Any:
    """Solve by the LU factorisation, which of an upper triangle is that triangle itself."""
    a = _triangle(xp, a, lower, unit_diagonal)
    if unit_diagonal:
        a = a + identity(xp, a, a.shape[-1])
    if not lower:
        return spread_solve(xp, a, b)
    rows = -1 if b.ndim == 1 else -2
    turned = spread_solve(xp, xp.flip(a, axis=(-2, -1)), xp.flip(b, axis=rows))
    return xp.flip(turned, axis=rows)


def _cho_solve(xp: Any, factor: Any, b: Any, *, upper: bool = False) -> Any:
    first, second = (adjoint(xp, factor), factor) if upper else (factor, adjoint(xp, factor))
    y = xp.linalg.solve_triangular(first, b, lower=True)
    return xp.linalg.solve_triangular(second, y, lower=False)


class _SolveTriangular(Solve):
    def solve(self, xp, a, b, *, lower=False, unit_diagonal=False):
        return xp.linalg.solve_triangular(a, b, lower=lower, unit_diagonal=unit_diagonal)

    def solve_adjoint(self, xp, a, b, *, lower=False, unit_diagonal=False):
        return self.solve(xp, adjoint(xp, a), b, lower=not lower, unit_diagonal=unit_diagonal)

    def pull(self, xp, a, g, *, lower=False, unit_diagonal=False):
        return _triangle(xp, g, lower, unit_diagonal)

    def push(self, xp, a, t, *, lower=False, unit_diagonal=False):
        return _triangle(xp, t, lower, unit_diagonal)


class _CholeskySolve(Solve):
    """The matrix of the system is ``L Lᴴ``, or ``Uᴴ U``: Hermitian, so that it is its adjoint."""

    def solve(self, xp, a, b, *, upper=False):
        return xp.linalg.cho_solve(a, b, upper=upper)

    def solve_adjoint(self, xp, a, b, *, upper=False):
        return xp.linalg.cho_solve(a, b, upper=upper)

    def pull(self, xp, a, g, *, upper=False):
        a, both = _triangle(xp, a, not upper), g + adjoint(xp, g)
        return _triangle(xp, a @ both if upper else both @ a, not upper)

    def push(self, xp, a, t, *, upper=False):
        a, t = _triangle(xp, a, not upper), _triangle(xp, t, not upper)
        moved = adjoint(xp, t) @ a if upper else t @ adjoint(xp, a)
        return moved + adjoint(xp, moved)


CARDS = [
    Card(
        "linalg.solve_triangular", _SolveTriangular(), solve_batch, body=_solve_triangular,
        fresh=True,
    ),
    Card("linalg.cho_solve", _CholeskySolve(), solve_batch, body=_cho_solve, fresh=True),
]  # fmt: skip
