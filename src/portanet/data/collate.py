"""Batches made of samples."""

from __future__ import annotations

import itertools
from bisect import bisect_left
from collections.abc import Sequence
from typing import Any

import numpy as np

from portanet import checks, trees
from portanet.errors import ArgumentError, DTypeError, ShapeError, shown
from portanet.interface import array_namespace, dtype_name, is_array, same_dtype


def stack(samples: Sequence[Any]) -> Any:
    """Return one batch of samples: the arrays at each place of their trees along a new first axis.

    Parameters
    ----------
    samples : sequence of trees
        At least one. Their leaves are arrays, all of one shape at the same place, or numbers.

    Returns
    -------
    tree
        Built as the samples. Arrays stay in their library; numbers become a NumPy array of
        float32, int64 or bool.

    Raises
    ------
    ParameterTreeError
        If two samples are built differently.
    ShapeError
        If two arrays at one place differ in shape: `pad_sequences` makes them equal.
    DTypeError
        If a leaf is neither an array nor a number, or two arrays at one place differ in dtype.

    Examples
    --------
    >>> import numpy as np
    >>> import portanet as pn
    >>> pn.data.stack([(np.zeros(2), 1), (np.ones(2), 0)])
    (array([[0., 0.],
           [1., 1.]]), array([1, 0]))
    """
    if not isinstance(samples, list | tuple) or not samples:
        raise ArgumentError(f"stack: samples is a list of at least one: got {shown(samples)}")
    first, structure = trees.flatten(samples[0])
    columns = [first]
    for i, sample in enumerate(samples[1:], 1):
        trees.check_same_structure(samples[0], sample, f"sample {i}")
        columns.append(trees.leaves(sample))
    return trees.unflatten(structure, list(map(_stacked, zip(*columns, strict=True))))


def _stacked(column: tuple[Any, ...]) -> Any:
    first = column[0]
    if is_array(first) and not isinstance(first, np.generic):
        xp = array_namespace(*column)
        for x in column:
            checks.same_shape("a sample", x, "the first sample", first)
            if not same_dtype(x, first):
                raise DTypeError(
                    f"a sample.dtype == the first sample.dtype: {dtype_name(x)} != "
                    f"{dtype_name(first)}"
                )
        return np.stack(column) if isinstance(first, np.ndarray) else xp.stack(list(column))
    if all(isinstance(x, np.generic) for x in column):
        return numbers("a sample", column)
    for kinds, dtype in _NUMBERS:
        if all(isinstance(x, kinds) for x in column):
            return _of_dtype("a sample", column, dtype)
    wrong = next((x for x in column if not isinstance(x, _NUMBERS[-1][0])), first)
    raise DTypeError(
        f"a sample has arrays and numbers: got {shown(wrong)}: give the loader collate=, a "
        f"function of a list of samples that returns a batch"
    )


_NUMBERS = (
    (bool, np.bool_),
    (int, np.int64),
    (int | float | np.number, np.float32),
    (int | float | complex | np.number, np.complex64),
)
"""The dtype of numbers that have none."""


def pad_sequences(
    sequences: Sequence[Any], bounds: Sequence[int] | None = None, *, value: float = 0
) -> tuple[np.ndarray, np.ndarray]:
    """Return sequences of different lengths as one array, and which of its entries count.

    Parameters
    ----------
    sequences : sequence of N array-likes
        Each of shape (length, ...); they may differ in their length alone.
    bounds : sequence of int, optional
        The lengths that the array may have, increasing: the smallest that holds all sequences.
        Programs are recorded once for each. By default the length of the longest sequence.
    value : number, default 0
        What the rest is filled with.

    Returns
    -------
    padded : NumPy array of shape (N, bound, ...)
        With the dtype of the sequences.
    mask : NumPy array of bool, of shape (N, bound)
        True where an entry is one of the sequence.

    Raises
    ------
    ShapeError
        If the sequences differ in more than their length, or one is longer than the last bound.
    DTypeError
        If their dtype does not hold `value`.

    Examples
    --------
    >>> import portanet as pn
    >>> padded, mask = pn.data.pad_sequences([[1, 2, 3], [4]], bounds=(4, 8))
    >>> print(padded)
    [[1 2 3 0]
     [4 0 0 0]]
    >>> print(mask.sum(axis=1))
    [3 1]
    """
    if not isinstance(sequences, list | tuple) or not sequences:
        raise ArgumentError(
            f"pad_sequences: sequences is a list of at least one: got {shown(sequences)}"
        )
    arrays = [numbers(f"sequences[{i}]", x) for i, x in enumerate(sequences)]
    rest, lengths = arrays[0].shape[1:], [x.shape[0] if x.ndim else -1 for x in arrays]
    for i, x in enumerate(arrays):
        if not x.ndim or x.shape[1:] != rest:
            raise ShapeError(
                f"sequences differ in their length alone: sequences[{i}].shape[1:] == "
                f"sequences[0].shape[1:]: {x.shape} and {arrays[0].shape}"
            )
    longest = max(lengths)
    length = longest if bounds is None else bound_of(longest, checked_bounds(bounds))
    # An empty list has no dtype.
    dtype = np.result_type(*([x for x in arrays if x.size] or arrays))
    filling = numbers("pad_sequences: value", value)
    held = _of_dtype("pad_sequences: value", filling, dtype)
    if filling.ndim or not np.array_equal(held, filling, equal_nan=True):
        raise DTypeError(f"pad_sequences: value is a number of {dtype}: got {shown(value)}")
    padded = np.full((len(arrays), length, *rest), filling, dtype)
    for row, x in zip(padded, arrays, strict=True):
        row[: x.shape[0]] = x
    return padded, np.arange(length) < np.asarray(lengths)[:, None]


def numbers(what: str, x: Any) -> np.ndarray:
    """Return numbers or booleans as an array of NumPy."""
    try:
        found = np.asarray(x)
    except (TypeError, ValueError, OverflowError):
        found = np.asarray("")
    if found.dtype.kind not in "biufc":
        raise DTypeError(f"{what} has numbers, in rows of one length: got {shown(x)}")
    return found


def _of_dtype(what: str, x: Any, dtype: Any) -> np.ndarray:
    try:
        with np.errstate(invalid="ignore"):  # of NaN as an integer
            return np.asarray(x).astype(dtype)
    except (TypeError, ValueError, OverflowError):
        raise DTypeError(f"{what} has numbers of {np.dtype(dtype)}: got {shown(x)}") from None


def checked_bounds(bounds: Any) -> tuple[int, ...]:
    """Return bounds of lengths as a tuple, each greater than the one before."""
    if not isinstance(bounds, list | tuple) or not bounds:
        raise ArgumentError(f"bounds is a list of integers >= 1: got {shown(bounds)}")
    found = tuple(checks.integer(f"bounds[{i}]", bound, 1) for i, bound in enumerate(bounds))
    if any(a >= b for a, b in itertools.pairwise(found)):
        raise ArgumentError(f"bounds increase: got {found}")
    return found


def bound_of(length: int, bounds: tuple[int, ...]) -> int:
    """Return the smallest bound that holds a sequence."""
    if length > bounds[-1]:
        raise ShapeError(
            f"length <= bounds[-1]: {length} > {bounds[-1]}: add a bound, or shorten the sequence"
        )
    return bounds[bisect_left(bounds, length)]
