"""Rules of the differences of neighbours."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from portanet.tape.box import device_of
from portanet.tape.form import axes_of
from portanet.tape.rule import Linear, Rule


def _differences_transpose(xp: Any, g: Any, x: Any, *, axis: int = -1, n: int = 1) -> Any:
    (axis,) = axes_of(axis, x.ndim)
    if x.shape[axis] <= n:
        return xp.zeros_like(x)
    edge = tuple(n if i == axis else size for i, size in enumerate(g.shape))
    zeros = xp.zeros(edge, dtype=g.dtype, device=device_of(g))
    spread = xp.differences(xp.concat([zeros, g, zeros], axis=axis), axis=axis, n=n)
    return -spread if n % 2 else spread


EXTENSIONS: dict[str, tuple[Rule, Callable[..., Any]]] = {
    "differences": (
        Linear(_differences_transpose, arity=None),
        lambda raw, x, *, axis=-1, n=1: raw.diff(x, axis=axis, n=n),
    ),
}


def _diff(
    xp: Any, x: Any, /, *, axis: int = -1, n: int = 1, prepend: Any = None, append: Any = None
) -> Any:
    if n == 0:
        return x
    ends = (_end(xp, x, prepend, axis), x, _end(xp, x, append, axis))
    parts = [part for part in ends if part is not None]
    x = parts[0] if len(parts) == 1 else xp.concat(parts, axis=axis)
    return xp.differences(x, axis=axis, n=n)


def _end(xp: Any, x: Any, end: Any, axis: int) -> Any:
    """What is put before or behind `x`: one number is spread over the other axes."""
    end = None if end is None else xp.operands.array(end)
    if end is None or end.ndim:
        return end
    along = axes_of(axis, x.ndim)
    return xp.broadcast_to(end, tuple(1 if i in along else n for i, n in enumerate(x.shape)))


COMPOSITES: dict[str, Callable[..., Any]] = {"diff": _diff}
