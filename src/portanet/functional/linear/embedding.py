"""Looking rows up in a table."""

from __future__ import annotations

import functools
import math
from typing import Any

from portanet.errors import ArgumentError, shown
from portanet.functional.half import rounded, widened
from portanet.functional.indexing.rows import largest_rows, mean_rows, sum_rows
from portanet.functional.indices import indices_below
from portanet.functional.kernel import kernel
from portanet.interface import array_namespace, device_of

_REDUCTIONS = {"max": largest_rows, "mean": mean_rows, "sum": sum_rows}


def embedding(indices: Any, weight: Any, /) -> Any:
    """Return the rows of `weight` at `indices`.

    Parameters
    ----------
    indices : array of int, any shape
        Row numbers, from 0 to ``weight.shape[0] - 1``.
    weight : array, shape (vocabulary, features)

    Returns
    -------
    array, shape ``(*indices.shape, features)``

    Raises
    ------
    ShapeError
        If an index on the host is no row, also in a replay of `portanet.jit`. Programs that JAX
        compiles cannot raise: there its features are NaN.

    Examples
    --------
    >>> import numpy as np
    >>> from portanet import functional
    >>> table = np.asarray([[0.0, 0.5], [1.0, 1.5]])
    >>> functional.embedding(np.asarray([1, 1, 0]), table)
    array([[1. , 1.5],
           [1. , 1.5],
           [0. , 0.5]])
    """
    return rows_at(_rows_of(indices, weight), weight)


def _rows_of(indices: Any, weight: Any) -> Any:
    size = weight.shape[0]
    return indices_below(indices, size=size, name="indices", size_name="weight.shape[0]")


@kernel
def rows_at(indices: Any, weight: Any, /) -> Any:
    """Compute `embedding` of indices that are rows, in int64."""
    xp = array_namespace(indices, weight)
    rows = xp.take(weight, xp.reshape(indices, (-1,)), axis=0)
    return xp.reshape(rows, (*indices.shape, weight.shape[1]))


def embedding_bag(
    indices: Any,
    weight: Any,
    offsets: Any = None,
    /,
    *,
    reduction: str = "mean",
    padding_index: int | None = None,
) -> Any:
    """Reduce the rows of `weight` at each bag of indices to one row.

    Parameters
    ----------
    indices : array of int, shape (..., n)
        The last axis is a bag. With `offsets`, of shape (n,): bags of any sizes in a row.
    weight : array, shape (vocabulary, features)
    offsets : array of int, shape (bags,), optional
        Where each bag begins, in ascending order; the last one ends with the indices.
    reduction : str
        ``"sum"``, ``"mean"`` or ``"max"``.
    padding_index : int, optional
        An index that fills bags up and does not count.

    Returns
    -------
    array, shape (..., features) or (bags, features)
        Zero for an empty bag.

    Raises
    ------
    ArgumentError
        If `reduction` is none of the three.

    Examples
    --------
    >>> import numpy as np
    >>> from portanet import functional
    >>> table = np.asarray([[1.0], [2.0], [6.0]])
    >>> functional.embedding_bag(np.asarray([0, 2, 1]), table, np.asarray([0, 2]))
    array([[3.5],
           [2. ]])
    """
    if reduction not in _REDUCTIONS:
        raise ArgumentError(f"reduction is one of 'max', 'mean', 'sum': got {shown(reduction)}")
    indices = _rows_of(indices, weight)
    if offsets is not None:
        n = indices.shape[-1] + 1
        offsets = indices_below(offsets, size=n, name="offsets", size_name="len(indices) + 1")
    return bag_of_rows(indices, weight, offsets, reduction=reduction, padding_index=padding_index)


def bag_of_rows(
    indices: Any, weight: Any, offsets: Any, *, reduction: str, padding_index: int | None
) -> Any:
    """Compute `embedding_bag` of indices that are rows, and offsets, in int64."""
    xp = array_namespace(indices, weight)
    rows = widened(rows_at(indices, weight))
    inside = xp.ones(indices.shape, dtype=xp.bool, device=device_of(indices))
    if padding_index is not None:
        inside = indices != padding_index
        rows = xp.where(xp.expand_dims(inside, axis=-1), rows, 0.0)
    reduced = _bags if offsets is None else functools.partial(_bags_in_a_row, offsets)
    return rounded(reduced(rows, inside, reduction), weight)


def _bags(rows: Any, inside: Any, reduction: str) -> Any:
    """Reduce over the last axis of the indices."""
    xp = array_namespace(rows, inside)
    if reduction == "max":
        return _largest(xp, rows, inside)
    shares = xp.astype(inside, rows.dtype)
    if reduction == "mean":
        one = xp.ones((), dtype=shares.dtype, device=device_of(shares))
        shares = shares / xp.maximum(xp.sum(shares, axis=-1, keepdims=True), one)
    return xp.squeeze(xp.matmul(xp.expand_dims(shares, axis=-2), rows), axis=-2)


def _bags_in_a_row(offsets: Any, rows: Any, inside: Any, reduction: str) -> Any:
    """Reduce from one offset to the next; a last bag takes what is in none and is dropped."""
    xp = array_namespace(rows, inside)
    count = offsets.shape[0]
    numbers = xp.arange(rows.shape[0], dtype=offsets.dtype, device=device_of(offsets))
    begun = xp.astype(offsets[:, None] <= numbers, offsets.dtype)
    bag = xp.sum(begun, axis=0, dtype=offsets.dtype) - 1
    places = xp.where(inside & (bag >= 0), bag, count)
    bags = _REDUCTIONS[reduction](rows, places, count + 1)[:count, ...]
    return _without_lowest(xp, bags) if reduction == "max" else bags


def _largest(xp: Any, rows: Any, inside: Any) -> Any:
    if inside.shape[-1] == 0:
        return xp.sum(rows, axis=-2)
    lowest = xp.where(xp.expand_dims(inside, axis=-1), rows, -math.inf)
    return _without_lowest(xp, xp.max(lowest, axis=-2))


def _without_lowest(xp: Any, top: Any) -> Any:
    return xp.where(top == -math.inf, 0.0, top)
