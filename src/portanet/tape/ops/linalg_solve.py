"""Cards of the inverses and of linear systems."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from portanet.errors import ShapeError
from portanet.tape.box import strip
from portanet.tape.ops.batching import lift, rank_of, spread
from portanet.tape.ops.card import Card
from portanet.tape.ops.linalg_helpers import adjoint, columns, identity, matrices
from portanet.tape.rule import Constant, Explicit, Rule, cast, fit


def _inv_vjp(xp: Any, g: Any, y: Any, x: Any) -> Any:
    back = adjoint(xp, y)
    return -(back @ g @ back)


def _inv_jvp(xp: Any, t: Any, y: Any, x: Any) -> Any:
    return -(y @ t @ y)


def _projections(xp: Any, y: Any, x: Any) -> tuple[Any, Any]:
    """What a matrix and its pseudo-inverse `y` leave out: on the left side and on the right."""
    left, right = x @ y, y @ x
    return (
        identity(xp, x, x.shape[-2]) - left,
        identity(xp, x, x.shape[-1]) - right,
    )


def _pinv_vjp(xp: Any, g: Any, y: Any, x: Any, rtol: Any) -> Any:
    left, right = _projections(xp, y, x)
    back, turned = adjoint(xp, y), adjoint(xp, g)
    return left @ turned @ (y @ back) + (back @ y) @ turned @ right - back @ g @ back


def _pinv_jvp(xp: Any, t: Any, y: Any, x: Any, rtol: Any) -> Any:
    left, right = _projections(xp, y, x)
    back, turned = adjoint(xp, y), adjoint(xp, t)
    return (y @ back) @ turned @ left + right @ turned @ (back @ y) - y @ t @ y


class Solve(Rule):
    """The solution of ``m x = b``; a 1-d `b` is one vector, every other a stack of matrices.

    Here `m` is the first argument itself. Where it is made of that one, `pull` and `push` are the
    derivative of this step, in reverse and in forward mode.
    """

    arity = 2

    def solve(self, xp: Any, a: Any, b: Any, **options: Any) -> Any:
        """Return the solution for matrices `b`."""
        return spread_solve(xp, a, b)

    def solve_adjoint(self, xp: Any, a: Any, b: Any, **options: Any) -> Any:
        """Return the solution of the adjoint system."""
        return spread_solve(xp, adjoint(xp, a), b)

    def pull(self, xp: Any, a: Any, g: Any, **options: Any) -> Any:
        """Return the cotangent of the first argument for one of `m`."""
        return g

    def push(self, xp: Any, a: Any, t: Any, **options: Any) -> Any:
        """Return the tangent of `m` for one of the first argument."""
        return t

    def vjp(self, primitive, cotangent, result, args, kwargs, argnums):
        xp = primitive.xp
        a, b = args
        vector = b.ndim == 1
        if vector:
            cotangent, result, b = columns(cotangent), columns(result), columns(b)
        back = self.solve_adjoint(xp, a, cotangent, **kwargs)
        parts = {}
        if 0 in argnums:
            g = -(back @ adjoint(xp, result))
            parts[0] = fit(xp, self.pull(xp, a, g, **kwargs), a)
        if 1 in argnums:
            part = fit(xp, back, b)
            parts[1] = part[..., 0] if vector else part
        return [parts[i] for i in argnums]

    def jvp(self, primitive, tangents, result, args, kwargs, argnums):
        xp = primitive.xp
        a, b = args
        vector = b.ndim == 1
        given = dict(zip(argnums, tangents, strict=True))
        x = columns(result) if vector else result
        right = None
        if 1 in given:
            right = columns(given[1]) if vector else given[1]
        if 0 in given:
            moved = self.push(xp, a, given[0], **kwargs) @ x
            right = -moved if right is None else right - moved
        tangent = xp.broadcast_to(self.solve(xp, a, right, **kwargs), x.shape)
        return cast(xp, tangent[..., 0] if vector else tangent, result.dtype)


def spread_solve(xp: Any, a: Any, b: Any) -> Any:
    """``solve`` with `a` spread over the batch of `b`: not every library does it."""
    if a.ndim < b.ndim != 1:
        a = xp.broadcast_to(a, (*b.shape[:-2], *a.shape[-2:]))
    return xp.linalg.solve(a, b)


def solve_batch(
    trace: Any, primitive: Any, values: list[Any], batched: list[bool], kwargs: dict[str, Any]
) -> Any:
    xp, (a, b) = primitive.xp, values
    if rank_of(b, batched[1]) != 1:
        return matrices(trace, primitive, values, batched, kwargs)
    if not batched[0] and a.ndim == 2:  # every entry is a right side of one system
        return xp.matrix_transpose(primitive(a, xp.matrix_transpose(b), **kwargs))
    x = matrices(trace, primitive, [a, xp.expand_dims(b, axis=-1)], batched, kwargs)
    return xp.squeeze(x, axis=-1)


def _pinv_batch(
    trace: Any, primitive: Any, values: list[Any], batched: list[bool], kwargs: dict[str, Any]
) -> Any:
    xp, (x, rtol) = primitive.xp, values
    rank = rank_of(x, batched[0])
    rtol = lift(xp, rtol, max(rank - 2, 0)) if batched[1] else rtol
    if rank < 2:
        raise ShapeError(f"pinv needs matrices: x.ndim >= 2: {rank} < 2")
    return primitive(spread(xp, x, batched[0], trace.size), rtol)


CARDS = [
    Card("linalg.inv", Explicit(_inv_vjp, _inv_jvp), matrices, fresh=True),
    Card("linalg.solve", Solve(), solve_batch, fresh=True),
    Card(
        "linalg.pinv_within", Explicit(_pinv_vjp, _pinv_jvp, arity=None), _pinv_batch,
        body=lambda xp, x, rtol: xp.raw.linalg.pinv(x, rtol=rtol), fresh=True,
    ),
    Card("linalg.matrix_rank", Constant("x", named="rtol"), matrices, fresh=True),
]  # fmt: skip
COMPOSITES: dict[str, Callable[..., Any]] = {
    "linalg.pinv": lambda xp, x, /, *, rtol=None: xp.linalg.pinv_within(x, strip(rtol)),
}
