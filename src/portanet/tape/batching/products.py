"""Batching of the matrix products."""

from __future__ import annotations

from typing import Any

from portanet.tape.batching._parts import Rule, lift, natural, rank_of, through


def _matmul(
    trace: Any, primitive: Any, values: list[Any], batched: list[bool], kwargs: dict[str, Any]
) -> Any:
    xp = primitive.xp
    (x, y), (own_x, own_y) = values, batched
    rank_x, rank_y = rank_of(x, own_x), rank_of(y, own_y)
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


RULES: dict[str, Rule] = {"linear": _dense, "matmul": _matmul}
