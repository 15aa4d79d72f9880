"""Rules of the matrix and tensor products."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from portanet.tape.rule import Multilinear, Rule, conj, fit


def _matrices(xp: Any, g: Any, x: Any, y: Any) -> tuple[Any, Any, Any]:
    """Give vectors their second axis, so that the product is one of matrices."""
    if x.ndim == 1:
        x, g = xp.expand_dims(x, axis=0), xp.expand_dims(g, axis=-1 if y.ndim == 1 else -2)
    if y.ndim == 1:
        y, g = xp.expand_dims(y, axis=-1), xp.expand_dims(g, axis=-1)
    return g, x, y


def _matmul_first(xp: Any, g: Any, x: Any, y: Any) -> Any:
    if y.ndim == 2 and x.ndim <= 2:
        return fit(xp, g @ conj(xp, y).mT, x)
    g, left, right = _matrices(xp, g, x, y)
    return xp.reshape(fit(xp, g @ conj(xp, right).mT, left), x.shape)


def _matmul_second(xp: Any, g: Any, x: Any, y: Any) -> Any:
    if x.ndim == 2 and y.ndim <= 2:
        return fit(xp, conj(xp, x).mT @ g, y)
    g, left, right = _matrices(xp, g, x, y)
    return xp.reshape(fit(xp, conj(xp, left).mT @ g, right), y.shape)


RULES: dict[str, Rule] = {"matmul": Multilinear(_matmul_first, _matmul_second)}


def _vecdot(xp: Any, x: Any, y: Any, /, *, axis: int = -1) -> Any:
    return xp.sum(conj(xp, x) * y, axis=axis)


def _tensordot(xp: Any, x: Any, y: Any, /, *, axes: int | Sequence[Sequence[int]] = 2) -> Any:
    if isinstance(axes, int):
        axes = tuple(range(x.ndim - axes, x.ndim)), tuple(range(axes))
    left = [axis % x.ndim for axis in axes[0]]
    right = [axis % y.ndim for axis in axes[1]]
    keep_left = [i for i in range(x.ndim) if i not in left]
    keep_right = [i for i in range(y.ndim) if i not in right]
    rows = [x.shape[i] for i in keep_left]
    columns = [y.shape[i] for i in keep_right]
    inner = math.prod(x.shape[i] for i in left)
    x = xp.reshape(xp.permute_dims(x, (*keep_left, *left)), (math.prod(rows), inner))
    y = xp.reshape(xp.permute_dims(y, (*right, *keep_right)), (inner, math.prod(columns)))
    return xp.reshape(x @ y, (*rows, *columns))


COMPOSITES: dict[str, Callable[..., Any]] = {"vecdot": _vecdot, "tensordot": _tensordot}
