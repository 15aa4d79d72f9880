"""Batching of the matrix products."""

from __future__ import annotations

import math
from typing import Any

from portanet.errors import ShapeError
from portanet.tape.batching._parts import (
    Rule,
    entries_of,
    lift,
    natural,
    positive,
    rank_of,
    through,
)
from portanet.tape.form import sequence
from portanet.tape.rules.products import contracted


def _matmul(
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


def _linear(xp: Any, x: Any, weight: Any, bias: Any = None) -> Any:
    y = xp.matmul(x, xp.matrix_transpose(weight))
    return y if bias is None else y + bias


_linear_of_parameters = through(_linear)


def _dense(
    trace: Any, primitive: Any, values: list[Any], batched: list[bool], kwargs: dict[str, Any]
) -> Any:
    rule = _linear_of_parameters if any(batched[1:]) else natural
    return rule(trace, primitive, values, batched, kwargs)


def _vecdot(
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


def _tensordot(xp: Any, x: Any, y: Any, *, axes: Any = 2) -> Any:
    """Turn both arrays into matrices, whose product it is."""
    left, right = contracted(x, y, _checked(x, y, axes))
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


RULES: dict[str, Rule] = {
    "linear": _dense,
    "matmul": _matmul,
    "tensordot": through(_tensordot),
    "vecdot": _vecdot,
}
