"""Reducing rows by segments, such as the messages that arrive at each node of a graph."""

from __future__ import annotations

from collections.abc import Callable
from numbers import Integral
from typing import Any

from portanet.checks import integral, rank_at_least
from portanet.errors import ArgumentError, DTypeError, ShapeError
from portanet.functional.indexing.rows import (
    is_kind,
    largest_rows,
    mean_rows,
    multiply_rows,
    smallest_rows,
    sum_rows,
)
from portanet.functional.indices import checked_index
from portanet.interface import array_namespace, dtype_name


def segment_sum(x: Any, segments: Any, num_segments: int) -> Any:
    r"""Add up the rows of each segment.

    .. math:: y_s = \sum_{i:\, \mathrm{segments}_i = s} x_i

    Parameters
    ----------
    x : array, shape (n, ...)
    segments : array of int, shape (n,)
        The segment of each row, from 0 to ``num_segments - 1``, in any order.
    num_segments : int

    Returns
    -------
    array, shape (num_segments, ...)
        The dtype of `x`. Zero for a segment without rows.

    Raises
    ------
    IndexRangeError
        If there is no such segment. Inside ``pn.jit`` on torch and JAX, and on accelerators, whose
        values cannot be looked at for free, that is the library's to treat.
    ShapeError
        If there is not one segment for each row.
    DTypeError
        If `segments` holds no integers, or `x` no numbers.

    Notes
    -----
    The derivative is ``take(g, segments, axis=0)``. Sorted segments take no less time. On NumPy
    the rows are added by SciPy's sparse product where SciPy is installed.

    Examples
    --------
    >>> import numpy as np
    >>> from portanet import functional
    >>> x = np.asarray([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])
    >>> functional.segment_sum(x, np.asarray([2, 0, 2]), 3)
    array([[3., 4.],
           [0., 0.],
           [6., 8.]])
    """
    return _reduced(sum_rows, x, segments, num_segments)


def segment_mean(x: Any, segments: Any, num_segments: int) -> Any:
    r"""Take the mean of the rows of each segment.

    .. math:: y_s = \frac{1}{n_s} \sum_{i:\, \mathrm{segments}_i = s} x_i

    Parameters, and what is raised, are those of `segment_sum`; `x` holds floats.

    Returns
    -------
    array, shape (num_segments, ...)
        Zero for a segment without rows.

    Examples
    --------
    >>> import numpy as np
    >>> from portanet import functional
    >>> functional.segment_mean(np.asarray([1.0, 4.0, 3.0]), np.asarray([2, 0, 2]), 3)
    array([4., 0., 2.])
    """
    return _reduced(mean_rows, x, segments, num_segments, "real floating", "complex floating")


def segment_prod(x: Any, segments: Any, num_segments: int) -> Any:
    r"""Multiply the rows of each segment.

    .. math:: y_s = \prod_{i:\, \mathrm{segments}_i = s} x_i

    Parameters, and what is raised, are those of `segment_sum`.

    Returns
    -------
    array, shape (num_segments, ...)
        One for a segment without rows.

    Notes
    -----
    The derivative is right where rows are zero. n rows take log2(n) products of all of them.

    Examples
    --------
    >>> import numpy as np
    >>> from portanet import functional
    >>> functional.segment_prod(np.asarray([1.5, 4.0, 2.0]), np.asarray([2, 0, 2]), 3)
    array([4., 1., 3.])
    """
    return _reduced(multiply_rows, x, segments, num_segments)


def segment_max(x: Any, segments: Any, num_segments: int) -> Any:
    r"""Take the largest entries of the rows of each segment.

    .. math:: y_s = \max_{i:\, \mathrm{segments}_i = s} x_i

    Parameters, and what is raised, are those of `segment_sum`; `x` is real.

    Returns
    -------
    array, shape (num_segments, ...)
        The lowest number of the dtype, for floats ``-inf``, for a segment without rows. NaN where
        a row has NaN.

    Notes
    -----
    Entries that are equally large share the derivative in equal parts.

    Examples
    --------
    >>> import numpy as np
    >>> from portanet import functional
    >>> functional.segment_max(np.asarray([1.0, 4.0, 3.0]), np.asarray([2, 0, 2]), 3)
    array([  4., -inf,   3.])
    """
    return _reduced(largest_rows, x, segments, num_segments, "integral", "real floating")


def segment_min(x: Any, segments: Any, num_segments: int) -> Any:
    r"""Take the smallest entries of the rows of each segment.

    .. math:: y_s = \min_{i:\, \mathrm{segments}_i = s} x_i

    See `segment_max`; a segment without rows gets the largest number, for floats ``inf``.

    Examples
    --------
    >>> import numpy as np
    >>> from portanet import functional
    >>> functional.segment_min(np.asarray([1.0, 4.0, 3.0]), np.asarray([2, 0, 2]), 3)
    array([ 4., inf,  1.])
    """
    return _reduced(smallest_rows, x, segments, num_segments, "integral", "real floating")


def _reduced(
    reduction: Callable[[Any, Any, int], Any], x: Any, segments: Any, count: Any, *kinds: str
) -> Any:
    """Check the arguments of a reduction by segments, and reduce."""
    rank_at_least("x", x, 1)
    integral("segments", segments)
    if not isinstance(count, Integral) or isinstance(count, bool) or count < 0:
        raise ArgumentError(f"num_segments is an integer >= 0: got {count!r}")
    if tuple(segments.shape) != (x.shape[0],):
        raise ShapeError(
            f"segments.shape == (x.shape[0],): {tuple(segments.shape)} != ({x.shape[0]},)"
        )
    xp = array_namespace(x, segments)
    if not is_kind(xp, x.dtype, kinds or ("numeric",)):
        raise DTypeError(f"x.dtype is {' or '.join(kinds or ('numeric',))}: {dtype_name(x)}")
    count = int(count)
    return reduction(x, checked_index(segments, count, ("segments", "num_segments"), False), count)
