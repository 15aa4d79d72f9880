"""Small matrix operations that several rules share, and how stacks of matrices run on a batch."""

from __future__ import annotations

import math
from typing import Any

from portanet.errors import ShapeError
from portanet.tape.box import at_hand, device_of, strip
from portanet.tape.ops.batching import lift, rank_of, spread
from portanet.tape.rule import conj


def empty_stack(xp: Any, x: Any) -> Any:
    """Return no matrices at all of the shape of `x`: the library refuses them as it would `x`."""
    x = at_hand(x)
    return x if x.ndim < 2 else xp.raw.zeros((0, *x.shape), dtype=x.dtype, device=device_of(x))


def inverse(xp: Any, x: Any, singular: Any) -> Any:
    """The inverse of matrices, NaN where a matrix is `singular`."""
    singular = singular[..., None, None]
    safe = xp.where(singular, identity(xp, x, x.shape[-1]), x)
    return xp.where(singular, math.nan, xp.linalg.inv(safe))


def solution(xp: Any, a: Any, b: Any) -> Any:
    """The solution of ``a x = b``, NaN where a matrix `a` is singular."""
    singular = (xp.linalg.slogdet(strip(a))[0] == 0)[..., None, None]
    safe = xp.where(singular, identity(xp, a, a.shape[-1]), a)
    return xp.where(singular, math.nan, xp.linalg.solve(safe, b))


def adjoint(xp: Any, x: Any) -> Any:
    """The conjugate transpose of the last two axes."""
    return conj(xp, x).mT


def hermitian(xp: Any, x: Any) -> Any:
    """The nearest matrix that is its own adjoint."""
    return (x + adjoint(xp, x)) / 2


def columns(x: Any) -> Any:
    """Give a stack of vectors an axis of size 1 behind."""
    return x[..., None]


def rows(x: Any) -> Any:
    """Give a stack of vectors an axis of size 1 before the last."""
    return x[..., None, :]


def identity(xp: Any, x: Any, n: int) -> Any:
    """The n × n identity with the dtype and on the device of `x`."""
    return xp.eye(n, dtype=x.dtype, device=device_of(x))


def diagonal_matrix(xp: Any, x: Any) -> Any:
    """Square matrices with `x` on the diagonal."""
    return identity(xp, x, x.shape[-1]) * rows(x)


def upper_half(xp: Any, x: Any) -> Any:
    """The upper triangle of square matrices with half of their diagonal."""
    n = x.shape[-1]
    one = xp.ones((n, n), dtype=x.dtype, device=device_of(x))
    return x * ((xp.triu(one) + xp.triu(one, k=1)) / 2)


def lower_half(xp: Any, x: Any) -> Any:
    """The lower triangle of square matrices with half of their diagonal."""
    return upper_half(xp, x.mT).mT


def reciprocal(xp: Any, x: Any) -> Any:
    """``1 / x``, and NaN instead of an infinity with its warning."""
    zero = x == 0
    return xp.where(zero, math.nan, 1 / xp.where(zero, 1.0, x))


def inverse_gaps(xp: Any, x: Any) -> Any:
    """Matrices of ``1 / (x_j - x_i)``: 0 on the diagonal, NaN where two values are equal."""
    diagonal = xp.eye(x.shape[-1], dtype=xp.bool, device=device_of(x))
    return xp.where(diagonal, 0.0, reciprocal(xp, rows(x) - columns(x)))


def matrices(
    trace: Any, primitive: Any, values: list[Any], batched: list[bool], kwargs: dict[str, Any]
) -> Any:
    """A function of stacks of matrices; every array is given the batch axis."""
    xp = primitive.xp
    ranks = [rank_of(x, own) for x, own in zip(values, batched, strict=True)]
    if min(ranks) < 2:
        raise ShapeError(f"{primitive.name} needs matrices: x.ndim >= 2: {min(ranks)} < 2")
    stacks = [
        lift(xp, spread(xp, x, own, trace.size), max(ranks))
        for x, own in zip(values, batched, strict=True)
    ]
    return primitive(*stacks, **kwargs)
