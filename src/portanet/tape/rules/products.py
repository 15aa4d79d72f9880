"""Rules of the matrix and tensor products."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import Any

from portanet.tape.form import axes_of
from portanet.tape.rule import Multilinear, Rule, cast, conj, fit


def _matrices(xp: Any, g: Any, x: Any, y: Any) -> tuple[Any, Any, Any]:
    """Give vectors their second axis, so that the product is one of matrices."""
    if x.ndim == 1:
        x, g = xp.expand_dims(x, axis=0), xp.expand_dims(g, axis=-1 if y.ndim == 1 else -2)
    if y.ndim == 1:
        y, g = xp.expand_dims(y, axis=-1), xp.expand_dims(g, axis=-1)
    return g, x, y


def _product(xp: Any, x: Any, y: Any) -> Any:
    return x @ y if x.dtype == y.dtype else xp.matmul(x, y)  # torch's operator does not promote


def _matmul_first(xp: Any, g: Any, x: Any, y: Any) -> Any:
    if y.ndim == 2 and x.ndim <= 2:
        return fit(xp, _product(xp, g, conj(xp, y).mT), x)
    g, left, right = _matrices(xp, g, x, y)
    return xp.reshape(fit(xp, _product(xp, g, conj(xp, right).mT), left), x.shape)


def _matmul_second(xp: Any, g: Any, x: Any, y: Any) -> Any:
    if x.ndim == 2 and y.ndim <= 2:
        return fit(xp, _product(xp, conj(xp, x).mT, g), y)
    g, left, right = _matrices(xp, g, x, y)
    return xp.reshape(fit(xp, _product(xp, conj(xp, left).mT, g), right), y.shape)


def _vecdot_side(xp: Any, g: Any, own: Any, other: Any, axis: int) -> Any:
    g, across = xp.expand_dims(g, axis=-1), _turned(xp, other, axis)
    part = fit(xp, g * across, _turned(xp, own, axis))
    return xp.moveaxis(part, -1, axis) if own.ndim else xp.reshape(part, ())


def _turned(xp: Any, x: Any, axis: int) -> Any:
    """Put the axis that is summed last; a number is a vector of one."""
    return xp.moveaxis(x, axis, -1) if x.ndim else xp.reshape(x, (1,))


def _vecdot_first(xp: Any, g: Any, x: Any, y: Any, *, axis: int = -1) -> Any:
    return _vecdot_side(xp, conj(xp, g), x, y, axis)  # x itself is conjugated


def _vecdot_second(xp: Any, g: Any, x: Any, y: Any, *, axis: int = -1) -> Any:
    return _vecdot_side(xp, g, y, x, axis)


Axes = int | Sequence[int | Sequence[int]]


def contracted(x: Any, y: Any, axes: Axes) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return the axes of `x` and of `y` over which ``tensordot`` sums."""
    if hasattr(axes, "__index__"):
        n = operator.index(axes)  # pyright: ignore[reportArgumentType]
        return tuple(range(x.ndim - n, x.ndim)), tuple(range(n))
    left, right = axes  # pyright: ignore[reportGeneralTypeIssues]
    return axes_of(left, x.ndim), axes_of(right, y.ndim)


def _others(x: Any, axes: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(i for i in range(x.ndim) if i not in axes)


def _tensordot_first(xp: Any, g: Any, x: Any, y: Any, *, axes: Axes = 2) -> Any:
    left, right = contracted(x, y, axes)
    free = _others(y, right)
    behind = tuple(range(g.ndim - len(free), g.ndim))
    part = xp.tensordot(g, conj(xp, y), axes=(behind, free))
    order = (*_others(x, left), *(left[right.index(i)] for i in sorted(right)))
    part = xp.permute_dims(part, tuple(order.index(i) for i in range(x.ndim)))
    return cast(xp, part, x.dtype)


def _tensordot_second(xp: Any, g: Any, x: Any, y: Any, *, axes: Axes = 2) -> Any:
    left, right = contracted(x, y, axes)
    free = _others(x, left)
    part = xp.tensordot(conj(xp, x), g, axes=(free, tuple(range(len(free)))))
    order = (*(right[left.index(i)] for i in sorted(left)), *_others(y, right))
    part = xp.permute_dims(part, tuple(order.index(i) for i in range(y.ndim)))
    return cast(xp, part, y.dtype)


RULES: dict[str, Rule] = {
    "matmul": Multilinear(_matmul_first, _matmul_second),
    "tensordot": Multilinear(_tensordot_first, _tensordot_second),
    "vecdot": Multilinear(_vecdot_first, _vecdot_second),
}
