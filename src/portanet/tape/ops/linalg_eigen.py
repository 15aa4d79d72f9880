"""Cards of the eigenvalues and eigenvectors.

The derivative of eigenvalues is right wherever it exists; that of eigenvectors is NaN where two
eigenvalues are equal, for there it does not. Eigenvectors are fixed only up to a phase: a
derivative holds theirs, so that it means something where the result does not depend on it.
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
    matrices,
    rows,
    solution,
)
from portanet.tape.rule import cast, conj


def _eigh_vjp(xp: Any, cotangents: Any, results: Any, x: Any, **_: Any) -> Any:
    along_values, along_vectors = cotangents
    values, vectors = results
    back = adjoint(xp, vectors)
    if along_vectors is None:
        return (vectors * rows(along_values)) @ back
    part = back @ along_vectors
    inner = (part - adjoint(xp, part)) / 2 * inverse_gaps(xp, values)
    if along_values is not None:
        inner = inner + diagonal_matrix(xp, along_values)
    return vectors @ inner @ back


def _eigh_jvp(xp: Any, t: Any, results: Any, x: Any, **_: Any) -> tuple[Any, Any]:
    values, vectors = results
    inner = adjoint(xp, vectors) @ hermitian(xp, t) @ vectors
    return (
        cast(xp, xp.linalg.diagonal(inner), values.dtype),
        vectors @ (inner * inverse_gaps(xp, values)),
    )


def _real_diagonal(xp: Any, x: Any) -> Any:
    diagonal = xp.linalg.diagonal(x)
    return (diagonal + conj(xp, diagonal)) / 2


def _eig_vjp(xp: Any, cotangents: Any, results: Any, x: Any) -> Any:
    along_values, along_vectors = cotangents
    values, vectors = results
    back = adjoint(xp, vectors)
    if along_vectors is None:
        inner = columns(along_values) * back
    else:
        part = back @ along_vectors
        part = part - (back @ vectors) * rows(_real_diagonal(xp, part))
        inner = part * conj(xp, inverse_gaps(xp, values))
        if along_values is not None:
            inner = inner + diagonal_matrix(xp, along_values)
        inner = inner @ back
    return cast(xp, solution(xp, back, inner), x.dtype)


def _eig_jvp(xp: Any, t: Any, results: Any, x: Any) -> tuple[Any, Any]:
    values, vectors = results
    inner = solution(xp, vectors, cast(xp, t, vectors.dtype) @ vectors)
    moved = vectors @ (inner * inverse_gaps(xp, values))
    along = _real_diagonal(xp, adjoint(xp, vectors) @ moved)
    return xp.linalg.diagonal(inner), moved - vectors * rows(along)


CARDS = [
    Card("linalg.eig", Several(_eig_vjp, _eig_jvp), matrices, fresh=True),
    Card("linalg.eigh", Several(_eigh_vjp, _eigh_jvp), matrices, fresh=True),
]
COMPOSITES: dict[str, Callable[..., Any]] = {
    "linalg.eigvals": lambda xp, x, /: xp.linalg.eig(x)[0],
    "linalg.eigvalsh": lambda xp, x, /, **options: xp.linalg.eigh(x, **options)[0],
}
