"""Layers that only rearrange or select."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from portanet import checks
from portanet.core import Layer
from portanet.errors import ShapeError
from portanet.interface import array_namespace


@dataclass(frozen=True)
class Flatten(Layer):
    """Make one axis of several, by default of all but the first, the batch.

    Parameters
    ----------
    start, end : int
        The first and the last of them, counted with the batch, which is axis 0; negative ones
        count from the end.

    Notes
    -----
    Input: array of any shape and dtype. Output: by default (N, features).

    Parameter tree: empty. State tree: empty.

    Raises
    ------
    HyperparameterError
        If an axis is not an integer.
    ShapeError
        In the call, if the input has no such axes.

    Examples
    --------
    >>> import numpy as np
    >>> import portanet as pn
    >>> pn.Flatten()(np.ones((2, 3, 4)), {}, {})[0].shape
    (2, 12)
    >>> pn.Flatten(1, 2)(np.ones((2, 3, 4, 5)), {}, {})[0].shape
    (2, 12, 5)
    """

    start: int = 1
    end: int = -1

    def __post_init__(self) -> None:
        checks.integers(self, "start", "end", minimum=None)

    def __call__(self, x: Any, ps: Any, st: Any) -> tuple[Any, Any]:
        checks.rank_at_least("x", x, 1)
        shape, rank = tuple(x.shape), x.ndim
        start, end = (i + rank if i < 0 else i for i in (self.start, self.end))
        # Of no axes too: each entry of a vector is a sample with one feature.
        if not (0 <= start <= rank and start - 1 <= end < rank):
            raise ShapeError(
                f"start <= end within x.ndim: axes {self.start} to {self.end} of x.ndim {rank}"
            )
        merged = checks.product(shape[start : end + 1])
        sizes = checks.to_reshape("y", (*shape[:start], merged, *shape[end + 1 :]))
        return array_namespace(x).reshape(x, sizes), st


@dataclass(frozen=True)
class Reshape(Layer):
    """Give each sample a new shape; the first axis, the batch, stays.

    Parameters
    ----------
    shape : int or tuple of int
        The shape of one sample.

    Notes
    -----
    Input: array of shape (N, ...), any dtype. Output: ``(N, *shape)``.

    Parameter tree: empty. State tree: empty.

    Raises
    ------
    HyperparameterError
        If `shape` is not made of positive integers.
    ShapeError
        In the call, if a sample has another number of entries.

    Examples
    --------
    >>> import numpy as np
    >>> import portanet as pn
    >>> pn.Reshape((8, 8))(np.ones((5, 64)), {}, {})[0].shape
    (5, 8, 8)
    """

    shape: checks.Sizes

    def __post_init__(self) -> None:
        checks.sizes(self, "shape")

    def __call__(self, x: Any, ps: Any, st: Any) -> tuple[Any, Any]:
        checks.rank_at_least("x", x, 1)
        entries = checks.product(x.shape[1:])
        if entries not in (None, math.prod(self.shape)):
            raise ShapeError(
                f"prod(x.shape[1:]) == prod(shape): {entries} of "
                f"{tuple(x.shape[1:])} != {math.prod(self.shape)} of {self.shape}"
            )
        return array_namespace(x).reshape(x, checks.to_reshape("y", (x.shape[0], *self.shape))), st


@dataclass(frozen=True)
class SelectDim(Layer):
    """Select one index, or a range of them, along an axis.

    Parameters
    ----------
    axis : int
        The axis, counted with the batch, which is axis 0; negative ones count from the end.
    index : int or range
        An integer removes the axis, negative ones count from the end; a range with a positive
        step keeps it.

    Notes
    -----
    Input: array of any shape and dtype. Output: the selected part.

    Parameter tree: empty. State tree: empty.

    Raises
    ------
    HyperparameterError
        If `axis` is not an integer, or `index` neither an integer nor such a range.
    ShapeError
        In the call, if the input has no such axis or index.

    Examples
    --------
    >>> import numpy as np
    >>> import portanet as pn
    >>> x = np.ones((2, 10, 3))
    >>> pn.SelectDim(1, -1)(x, {}, {})[0].shape
    (2, 3)
    >>> pn.SelectDim(1, range(0, 10, 2))(x, {}, {})[0].shape
    (2, 5, 3)
    """

    axis: int
    index: int | range

    def __post_init__(self) -> None:
        checks.integers(self, "axis", minimum=None)
        if not isinstance(self.index, range):
            checks.integers(self, "index", minimum=None)
        elif self.index.step < 1 or self.index.start < 0:
            checks.refuse(self, "index is an integer or a range from 0 up, forwards", self.index)

    def __call__(self, x: Any, ps: Any, st: Any) -> tuple[Any, Any]:
        axis, index = checks.axis_of("x", x, self.axis), self.index
        size = x.shape[axis]
        if isinstance(index, range):
            inside, selected = not index or index[-1] < size, slice(*_bounds(index))
        else:
            inside, selected = -size <= index < size, index
        if not inside:
            raise ShapeError(f"index < x.shape[{axis}]: {index} does not lie in {size} entries")
        return x[(slice(None),) * axis + (selected, ...)], st


def _bounds(index: range) -> tuple[int, int, int]:
    return index.start, index[-1] + 1 if index else index.start, index.step
