"""Cards of the determinants.

The derivative of ``det`` is the matrix of cofactors. It is found from singular values, not as the
determinant times an inverse, so that it and the second derivative are right for singular matrices
too. From the third derivative on an inverse is needed.
"""

from __future__ import annotations

from typing import Any

from portanet.tape.box import device_of, strip
from portanet.tape.bundle import Several
from portanet.tape.ops.accumulation import products_of_others
from portanet.tape.ops.card import Card
from portanet.tape.ops.linalg_helpers import adjoint, diagonal_matrix, inverse, matrices, rows
from portanet.tape.rule import Explicit, Rule, cast, conj, is_complex


def _matrix(x: Any) -> Any:
    return x[..., None, None]


def _outside(xp: Any, u: Any, inner: Any, vh: Any) -> Any:
    """The cofactors of ``u m vh`` from those of ``m``, for unitary `u` and `vh`."""
    sign = xp.linalg.det(u) * xp.linalg.det(vh)
    return _matrix(sign) * (conj(xp, u) @ cast(xp, inner, u.dtype) @ conj(xp, vh))


def _cofactors(xp: Any, x: Any) -> Any:
    """The matrix of first derivatives of the determinant."""
    u, s, vh = xp.linalg.svd(x, full_matrices=False)
    return _outside(xp, u, diagonal_matrix(xp, products_of_others(xp, s)), vh)


def _cofactors_along(xp: Any, x: Any, t: Any) -> Any:
    """The derivative of the cofactors of `x` along `t`."""
    u, s, vh = xp.linalg.svd(x, full_matrices=False)
    diagonal = xp.eye(s.shape[-1], dtype=xp.bool, device=device_of(s))
    pairs = products_of_others(xp, xp.where(diagonal, 1.0, rows(s)))
    pairs = xp.where(diagonal, 0.0, pairs)
    m = adjoint(xp, u) @ t @ adjoint(xp, vh)
    sums = xp.sum(pairs * rows(xp.linalg.diagonal(m)), axis=-1)
    return _outside(xp, u, diagonal_matrix(xp, sums) - pairs * m.mT, vh)


def _third(xp: Any, x: Any, t: Any, u: Any) -> Any:
    """The third derivative of the determinant along `t` and `u`, as a matrix."""
    back = inverse(xp, x, xp.linalg.slogdet(strip(x))[0] == 0)
    a, b = back @ t, back @ u
    trace_a, trace_b = xp.linalg.trace(a), xp.linalg.trace(b)
    both, trace = a @ b + b @ a, trace_a * trace_b - xp.linalg.trace(a @ b)
    mixed = both - _matrix(trace_b) * a - _matrix(trace_a) * b
    return _matrix(xp.linalg.det(x)) * (_matrix(trace) * back + mixed @ back).mT


class _CofactorsAlong(Rule):
    arity = 2

    def vjp(self, primitive, cotangent, result, args, kwargs, argnums):
        xp = primitive.xp
        x, t = args
        g = conj(xp, cotangent)
        parts = (lambda: _third(xp, x, t, g), lambda: xp.linalg.cofactors_along(x, g))
        return [conj(xp, parts[i]()) for i in argnums]

    def jvp(self, primitive, tangents, result, args, kwargs, argnums):
        xp = primitive.xp
        x, t = args
        parts = (lambda d: _third(xp, x, t, d), lambda d: xp.linalg.cofactors_along(x, d))
        total = None
        for i, tangent in zip(argnums, tangents, strict=True):
            part = parts[i](tangent)
            total = part if total is None else total + part
        return total


def _slogdet_vjp(xp: Any, cotangents: Any, results: Any, x: Any) -> Any:
    along_sign, along_log = cotangents
    scale = along_log
    if along_sign is not None and is_complex(xp, x.dtype):
        turn = conj(xp, results[0]) * along_sign
        turn = (turn - conj(xp, turn)) / 2
        scale = turn if scale is None else scale + turn
    if scale is None:
        return xp.zeros_like(x)
    return _matrix(scale) * adjoint(xp, inverse(xp, x, strip(results[0]) == 0))


def _slogdet_jvp(xp: Any, t: Any, results: Any, x: Any) -> tuple[Any, Any]:
    sign = results[0]
    rate = xp.sum(inverse(xp, x, strip(sign) == 0).mT * t, axis=(-2, -1))
    if not is_complex(xp, x.dtype):
        return xp.zeros_like(sign), rate
    return sign * ((rate - conj(xp, rate)) / 2), xp.real(rate)


CARDS = [
    Card(
        "linalg.det",
        Explicit(
            lambda xp, g, y, x: _matrix(g) * conj(xp, xp.linalg.cofactors(x)),
            lambda xp, t, y, x: xp.sum(xp.linalg.cofactors(x) * t, axis=(-2, -1)),
        ),
        matrices, fresh=True,
    ),
    Card("linalg.slogdet", Several(_slogdet_vjp, _slogdet_jvp), matrices, fresh=True),
    Card(
        "linalg.cofactors",
        Explicit(
            lambda xp, g, y, x: conj(xp, xp.linalg.cofactors_along(x, conj(xp, g))),
            lambda xp, t, y, x: xp.linalg.cofactors_along(x, t),
        ),
        matrices, body=_cofactors, fresh=True,
    ),
    Card(
        "linalg.cofactors_along", _CofactorsAlong(), matrices, body=_cofactors_along, fresh=True
    ),
]  # fmt: skip
