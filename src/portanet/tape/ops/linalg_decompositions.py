"""Cards of the factorisations: Cholesky, QR and the singular values.

A Hermitian argument is one in its derivatives too: gradients are Hermitian, whichever triangle the
library reads. What a factorisation leaves open has no derivative: where two singular values are
equal, that of their singular vectors is NaN (that of the values is right); vectors that only
complete a basis raise `NoDerivativeError`. A singular value of 0 has the subgradient 0.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from portanet.tape.bundle import Several
from portanet.tape.ops.card import Card
from portanet.tape.ops.linalg_helpers import (
    adjoint,
    columns,
    diagonal_matrix,
    hermitian,
    inverse_gaps,
    lower_half,
    matrices,
    reciprocal,
    rows,
    solution,
    upper_half,
)
from portanet.tape.rule import Explicit, cast, is_complex


def _cholesky_vjp(xp: Any, g: Any, y: Any, x: Any, *, upper: bool = False) -> Any:
    if upper:
        g, y = adjoint(xp, g), adjoint(xp, y)
    back = adjoint(xp, y)
    inner = xp.linalg.solve_triangular(back, lower_half(xp, back @ g))
    return hermitian(xp, adjoint(xp, xp.linalg.solve_triangular(back, adjoint(xp, inner))))


def _cholesky_jvp(xp: Any, t: Any, y: Any, x: Any, *, upper: bool = False) -> Any:
    if upper:
        y = adjoint(xp, y)
    turned = adjoint(xp, xp.linalg.solve_triangular(y, hermitian(xp, t), lower=True))
    inner = xp.linalg.solve_triangular(y, turned, lower=True)
    tangent = y @ lower_half(xp, inner)
    return adjoint(xp, tangent) if upper else tangent


def _thin_qr(x: Any, q: Any, r: Any) -> tuple[Any, Any, int]:
    size = min(x.shape[-2:])
    return _first(q, size, -1), _first(r, size, -2), size


def _first(x: Any, n: int, axis: int) -> Any:
    """The first `n` rows (axis -2) or columns (axis -1) of matrices; all, if there are no more."""
    if x is None or x.shape[axis] == n:
        return x
    return x[..., :n] if axis == -1 else x[..., :n, :]


def _qr_vjp(xp: Any, cotangents: Any, results: Any, x: Any, *, mode: str = "reduced") -> Any:
    q, r, n = _thin_qr(x, *results)
    gq, gr = _first(cotangents[0], n, -1), _first(cotangents[1], n, -2)
    beyond = None
    if x.shape[-1] > n:  # r = (q^H x1, q^H x2): only the first, square block is factorised
        if gr is not None:
            beyond, gr = gr[..., n:], gr[..., :n]
            more = x[..., n:] @ adjoint(xp, beyond)
            gq = more if gq is None else gq + more
            beyond = q @ beyond
        r = r[..., :n]
    weight = None if gr is None else gr @ adjoint(xp, r)
    if gq is not None:
        part = adjoint(xp, q) @ gq
        weight = -part if weight is None else weight - part
    half = upper_half(xp, weight)
    total = q @ (half + adjoint(xp, half))
    if gq is not None:
        total = total + gq
    result = adjoint(xp, solution(xp, r, adjoint(xp, total)))
    if x.shape[-1] > n:
        rest = xp.zeros_like(x[..., n:]) if beyond is None else beyond
        result = xp.concat([result, rest], axis=-1)
    return result


def _qr_jvp(xp: Any, t: Any, results: Any, x: Any, *, mode: str = "reduced") -> tuple[Any, Any]:
    q, r, n = _thin_qr(x, *results)
    square, first = r[..., :n], t[..., :n]
    moved = adjoint(xp, solution(xp, adjoint(xp, square), adjoint(xp, first)))
    inner = adjoint(xp, q) @ moved
    change = upper_half(xp, inner) + adjoint(xp, lower_half(xp, inner))
    tq, tr = moved - q @ change, change @ square
    if x.shape[-1] > n:
        rest = adjoint(xp, tq) @ x[..., n:] + adjoint(xp, q) @ t[..., n:]
        tr = xp.concat([tr, rest], axis=-1)
    missing = results[1].shape[-2] - n
    if missing:
        tr = xp.concat([tr, xp.zeros_like(results[1][..., n:, :])], axis=-2)
    return tq, tr


def _qr_arbitrary(x: Any, *, mode: str = "reduced") -> tuple[int, str] | None:
    if mode == "complete" and x.shape[-2] > x.shape[-1]:
        return 0, "the last columns of Q are arbitrary and have no derivative: use mode='reduced'"
    return None


def _svd_gaps(xp: Any, s: Any) -> Any:
    """``1 / (s_j² - s_i²)`` off the diagonal."""
    sums = rows(s) + columns(s)
    return inverse_gaps(xp, s) / xp.where(sums == 0, 1.0, sums)


def _svd_vjp(xp: Any, cotangents: Any, results: Any, x: Any, *, full_matrices: bool = True) -> Any:
    k = min(x.shape[-2:])
    s = results[1]
    u, vh = _first(results[0], k, -1), _first(results[2], k, -2)
    gu, gs, gvh = _first(cotangents[0], k, -1), cotangents[1], _first(cotangents[2], k, -2)
    scale = None if gs is None else xp.where(s == 0, 0.0, gs)
    if gu is None and gvh is None:
        return (u * rows(scale)) @ vh
    inner = (
        xp.zeros_like(vh[..., :k])
        if scale is None
        else cast(xp, diagonal_matrix(xp, scale), x.dtype)
    )
    gaps, phase, outside = _svd_gaps(xp, s), 0.0, None
    if gu is not None:
        part = adjoint(xp, u) @ gu
        skew = part - adjoint(xp, part)
        inner, phase = inner + (skew * gaps) * rows(s), skew
        if x.shape[-2] > k:
            outside = ((gu - u @ part) * rows(reciprocal(xp, s))) @ vh
    if gvh is not None:
        part = vh @ adjoint(xp, gvh)
        skew = part - adjoint(xp, part)
        inner, phase = inner + columns(s) * (skew * gaps), phase - skew
        if x.shape[-1] > k:
            more = u @ (columns(reciprocal(xp, s)) * (gvh - adjoint(xp, part) @ vh))
            outside = more if outside is None else outside + more
    if is_complex(xp, x.dtype):
        inner = inner + diagonal_matrix(xp, reciprocal(xp, 4 * s)) * phase
    result = u @ inner @ vh
    return result if outside is None else result + outside


def _svd_jvp(
    xp: Any, t: Any, results: Any, x: Any, *, full_matrices: bool = True
) -> tuple[Any, Any, Any]:
    k = min(x.shape[-2:])
    s = results[1]
    u, vh = _first(results[0], k, -1), _first(results[2], k, -2)
    v = adjoint(xp, vh)
    inner = adjoint(xp, u) @ t @ v
    turned = adjoint(xp, inner)
    gaps = _svd_gaps(xp, s)
    left = gaps * (inner * rows(s) + columns(s) * turned)
    right = gaps * (columns(s) * inner + turned * rows(s))
    if is_complex(xp, x.dtype):
        phase = diagonal_matrix(xp, reciprocal(xp, 4 * s)) * (inner - turned)
        left, right = left + phase, right - phase
    tu, tv = u @ left, v @ right
    if x.shape[-2] > k:
        tu = tu + (t @ v - u @ inner) * rows(reciprocal(xp, s))
    if x.shape[-1] > k:
        tv = tv + (adjoint(xp, t) @ u - v @ turned) * rows(reciprocal(xp, s))
    ts = xp.where(s == 0, 0.0, cast(xp, xp.linalg.diagonal(inner), s.dtype))
    return tu, ts, adjoint(xp, tv)


def _svd_arbitrary(x: Any, *, full_matrices: bool = True) -> tuple[int, str] | None:
    m, n = x.shape[-2:]
    if not full_matrices or m == n:
        return None
    which = "last columns of U" if m > n else "last rows of Vh"
    return (
        0 if m > n else 2,
        f"the {which} are arbitrary and have no derivative: use full_matrices=False",
    )


CARDS = [
    Card("linalg.cholesky", Explicit(_cholesky_vjp, _cholesky_jvp), matrices, fresh=True),
    Card("linalg.qr", Several(_qr_vjp, _qr_jvp, _qr_arbitrary), matrices, fresh=True),
    Card("linalg.svd", Several(_svd_vjp, _svd_jvp, _svd_arbitrary), matrices, fresh=True),
]
COMPOSITES: dict[str, Callable[..., Any]] = {
    "linalg.svdvals": lambda xp, x, /: xp.linalg.svd(x, full_matrices=False)[1],
}
