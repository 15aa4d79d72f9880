"""Cards of the matrix and tensor products."""

from __future__ import annotations

import math
import operator
from collections.abc import Sequence
from typing import Any

import numpy as np

from portanet.errors import ShapeError
from portanet.tape.ops.batching import entries_of, lift, positive, rank_of, through
from portanet.tape.ops.card import Card, Role
from portanet.tape.ops.form import Form
from portanet.tape.rule import Multilinear, cast, conj, fit
from portanet.tape.signature import axes_of, sequence

# Rows for which it pays to copy a matrix: with 32 matrices of 64 x 64 that takes 2.2 times as long
# for 8 rows, 1.5 times for 16, and 0.8 of the time for 24 and more.
MANY = 24


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


def _matmul_batch(
    trace: Any, primitive: Any, values: list[Any], batched: list[bool], kwargs: dict[str, Any]
) -> Any:
    xp = primitive.xp
    (x, y), (own_x, own_y) = values, batched
    rank_x, rank_y = rank_of(x, own_x), rank_of(y, own_y)
    if rank_x == 0 or rank_y == 0:
        return primitive.compute(*entries_of(trace, primitive, values, batched))  # which refuses
    if own_x and not own_y and rank_x >= 1 and 1 <= rank_y <= 2:
        return _rows_times(xp, primitive, x, y)
    if own_y and not own_x and rank_x == 2:
        if rank_y == 1:
            return primitive(y, xp.matrix_transpose(x))
        if rank_y == 2 and y.shape[-1] == 1:
            column = primitive(xp.squeeze(y, axis=-1), xp.matrix_transpose(x))
            return xp.expand_dims(column, axis=-1)
    # Vectors become matrices, so that the batch axis is never taken for one of the product.
    if rank_x == 1:
        x = xp.expand_dims(x, axis=-2)
    if rank_y == 1:
        y = xp.expand_dims(y, axis=-1)
    top = max(rank_x, rank_y, 2)
    x = lift(xp, x, top) if own_x else x
    y = lift(xp, y, top) if own_y else y
    product = primitive(x, y)
    if rank_x == 1:
        product = xp.squeeze(product, axis=-2)
    return xp.squeeze(product, axis=-1) if rank_y == 1 else product


def _rows_times(xp: Any, primitive: Any, x: Any, y: Any) -> Any:
    """Multiply all rows of a batch with one matrix or vector, in one product of matrices."""
    if x.ndim <= 2:
        return primitive(x, y)
    rows = 1
    for n in x.shape[:-1]:
        rows *= n
    product = primitive(xp.reshape(x, (rows, x.shape[-1])), y)
    return xp.reshape(product, (*x.shape[:-1], *product.shape[1:]))


def _matmul_form(call: Any, x: Any, y: Any) -> Form:
    name = "dot" if len(x.shape) <= 2 and len(y.shape) <= 2 else "matmul"
    if len(y.shape) > 2 and len(x.shape) > 1 and x.shape[-2] >= MANY:
        # Of stacks of matrices, those that are turned over take twice as long.
        straight = f"{{1}}.strides[-1] == {np.dtype(y.dtype).itemsize}"
        right = f"{{1}} if {straight} else {{np.ascontiguousarray}}({{1}})"
        return Form(f"{{np.matmul}}({{0}}, {right}, {{out}})", f"{{np.matmul}}({{0}}, {right})")
    fresh = f"{{np.{name}}}({{0}}, {{1}})"
    number = None if call.result.shape else fresh
    return Form(f"{{np.{name}}}({{0}}, {{1}}, {{out}})", fresh, number=number)


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


def _vecdot_batch(
    trace: Any, primitive: Any, values: list[Any], batched: list[bool], kwargs: dict[str, Any]
) -> Any:
    """Sum along the last axis, with the batch axis in front of every other."""
    xp, axis = primitive.xp, kwargs.get("axis", -1)
    ranks = [rank_of(x, own) for x, own in zip(values, batched, strict=True)]
    moved = []
    for x, own, rank in zip(values, batched, ranks, strict=True):
        if rank == 0:  # refused by NumPy; elsewhere a vector of one
            primitive.compute(*entries_of(trace, primitive, values, batched), **kwargs)
            x = xp.expand_dims(x, axis=-1)
        x = xp.moveaxis(x, positive("vecdot", axis, max(rank, 1)) + own, -1)
        moved.append(lift(xp, x, max(*ranks, 1)) if own else x)
    return primitive(*moved, axis=-1)


Axes = int | Sequence[int | Sequence[int]]


def _contracted(x: Any, y: Any, axes: Axes) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return the axes of `x` and of `y` over which ``tensordot`` sums."""
    if hasattr(axes, "__index__"):
        n = operator.index(axes)  # pyright: ignore[reportArgumentType]
        return tuple(range(x.ndim - n, x.ndim)), tuple(range(n))
    left, right = axes  # pyright: ignore[reportGeneralTypeIssues]
    return axes_of(left, x.ndim), axes_of(right, y.ndim)


def _others(x: Any, axes: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(i for i in range(x.ndim) if i not in axes)


def _tensordot_first(xp: Any, g: Any, x: Any, y: Any, *, axes: Axes = 2) -> Any:
    left, right = _contracted(x, y, axes)
    free = _others(y, right)
    behind = tuple(range(g.ndim - len(free), g.ndim))
    part = xp.tensordot(g, conj(xp, y), axes=(behind, free))
    order = (*_others(x, left), *(left[right.index(i)] for i in sorted(right)))
    part = xp.permute_dims(part, tuple(order.index(i) for i in range(x.ndim)))
    return cast(xp, part, x.dtype)


def _tensordot_second(xp: Any, g: Any, x: Any, y: Any, *, axes: Axes = 2) -> Any:
    left, right = _contracted(x, y, axes)
    free = _others(x, left)
    part = xp.tensordot(conj(xp, x), g, axes=(free, tuple(range(len(free)))))
    order = (*(right[left.index(i)] for i in sorted(left)), *_others(y, right))
    part = xp.permute_dims(part, tuple(order.index(i) for i in range(y.ndim)))
    return cast(xp, part, y.dtype)


def _tensordot_batch(xp: Any, x: Any, y: Any, *, axes: Any = 2) -> Any:
    """Turn both arrays into matrices, whose product it is."""
    left, right = _contracted(x, y, _checked(x, y, axes))
    inner = tuple(x.shape[i] for i in left)
    if inner != tuple(y.shape[i] for i in right) or len(set(left)) < len(left):
        raise ShapeError(
            f"tensordot: the shapes {x.shape} and {y.shape} do not fit along the axes {axes}"
        )
    free_x = tuple(i for i in range(x.ndim) if i not in left)
    free_y = tuple(i for i in range(y.ndim) if i not in right)
    rows, columns = (x.shape[i] for i in free_x), (y.shape[i] for i in free_y)
    shape, size = (*rows, *columns), math.prod(inner)
    n = math.prod(x.shape[i] for i in free_x)
    x = xp.reshape(xp.permute_dims(x, (*free_x, *left)), (n, size))
    m = math.prod(y.shape[i] for i in free_y)
    y = xp.reshape(xp.permute_dims(y, (*right, *free_y)), (size, m))
    return xp.reshape(xp.matmul(x, y), shape)


def _checked(x: Any, y: Any, axes: Any) -> Any:
    """Refuse axes that an entry does not have."""
    if hasattr(axes, "__index__"):
        for array in (x, y):
            if axes > array.ndim:
                raise ShapeError(f"tensordot: axes <= x.ndim: {axes} > {array.ndim}")
        return axes
    for array, side in zip((x, y), axes, strict=True):
        for axis in sequence(side):
            positive("tensordot", axis, array.ndim)
    return axes


CARDS = [
    Card(
        "matmul", Multilinear(_matmul_first, _matmul_second), _matmul_batch,
        numpy=_matmul_form, fresh=True, role=Role.PRODUCT,
    ),
    Card(
        "tensordot", Multilinear(_tensordot_first, _tensordot_second),
        through(_tensordot_batch), fresh=True,
    ),
    Card("vecdot", Multilinear(_vecdot_first, _vecdot_second), _vecdot_batch, fresh=True),
]  # fmt: skip
