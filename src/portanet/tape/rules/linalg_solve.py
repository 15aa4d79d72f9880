"""Rules of the inverses and of linear systems."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from portanet.tape.box import strip
from portanet.tape.rule import Explicit, Rule, cast, fit
from portanet.tape.rules.linalg_helpers import adjoint, columns, identity


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


class _Solve(Rule):
    """The solution of ``a x = b``; a 1-d `b` is one vector, every other a stack of matrices."""

    arity = 2

    def vjp(self, primitive, cotangent, result, args, kwargs, argnums):
        xp = primitive.xp
        a, b = args
        vector = b.ndim == 1
        if vector:
            cotangent, result, b = columns(cotangent), columns(result), columns(b)
        back = _spread_solve(xp, adjoint(xp, a), cotangent)
        parts = {}
        if 0 in argnums:
            parts[0] = fit(xp, -(back @ adjoint(xp, result)), a)
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
            moved = given[0] @ x
            right = -moved if right is None else right - moved
        tangent = xp.broadcast_to(_spread_solve(xp, a, right), x.shape)
        return cast(xp, tangent[..., 0] if vector else tangent, result.dtype)


def _spread_solve(xp: Any, a: Any, b: Any) -> Any:
    """``solve`` with `a` spread over the batch of `b`: not every library does it."""
    if a.ndim < b.ndim:
        a = xp.broadcast_to(a, (*b.shape[:-2], *a.shape[-2:]))
    return xp.linalg.solve(a, b)


RULES: dict[str, Rule] = {
    "inv": Explicit(_inv_vjp, _inv_jvp),
    "solve": _Solve(),
}
EXTENSIONS: dict[str, tuple[Rule, Callable[..., Any]]] = {
    "pinv_within": (
        Explicit(_pinv_vjp, _pinv_jvp, arity=None),
        lambda xp, x, rtol: xp.raw.linalg.pinv(x, rtol=rtol),
    ),
}
COMPOSITES: dict[str, Callable[..., Any]] = {
    "pinv": lambda xp, x, /, *, rtol=None: xp.linalg.pinv_within(x, strip(rtol)),
}
