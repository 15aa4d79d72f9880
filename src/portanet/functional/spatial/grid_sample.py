"""Reading images at any place."""

from __future__ import annotations

import itertools
import math
from typing import Any

from portanet import checks
from portanet.errors import ArgumentError, ShapeError, shown
from portanet.functional.half import in_float32
from portanet.interface import array_namespace, device_of


@in_float32
def grid_sample(x: Any, grid: Any, /, *, padding: str = "zeros", align_corners: bool = True) -> Any:
    """Read images at the places of a grid, linearly between their entries [1]_.

    Parameters
    ----------
    x : array, shape ``(N, *space, channels)``
        Real floating point numbers; space has any number of axes.
    grid : array, shape ``(N, *places, d)``
        For each place its d coordinates, from -1 to 1 over the image; the first one counts along
        the last axis of space, as in (x, y) of an image of rows.
    padding : {"zeros", "border"}
        What there is outside of the image: zeros, or its nearest entry.
    align_corners : bool
        Whether -1 and 1 are the centres of the outermost entries, and not their outer edges.

    Returns
    -------
    array, shape ``(N, *places, channels)``

    Raises
    ------
    ArgumentError
        If `padding` is neither.
    ShapeError, DTypeError, DeviceError, BackendMismatchError
        If the arrays do not fit together.

    References
    ----------
    .. [1] Jaderberg, Simonyan, Zisserman and Kavukcuoglu, "Spatial Transformer Networks",
       NeurIPS 2015.

    Examples
    --------
    >>> import numpy as np
    >>> from portanet import functional
    >>> image = np.asarray([[0.0, 1.0], [2.0, 3.0]])[None, :, :, None]
    >>> places = np.asarray([[[0.0, 0.0], [1.0, -1.0]]])
    >>> functional.grid_sample(image, places)[0, :, 0]
    array([1.5, 1. ])
    """
    if padding not in ("zeros", "border"):
        raise ArgumentError(f"padding is 'zeros' or 'border': got {shown(padding)}")
    _check(x, grid)
    xp, space = array_namespace(x, grid), x.shape[1:-1]
    axes = []
    for i, size in enumerate(space):
        place = grid[..., len(space) - 1 - i]
        if align_corners:
            place = (place + 1.0) * (0.5 * (size - 1))
        else:
            place = (place + 1.0) * (0.5 * size) - 0.5
        axes.append(_neighbours(xp, place, size, padding))
    rows = xp.reshape(x, (math.prod(x.shape[:-1]), x.shape[-1]))
    first = _first_rows(xp, x, grid)
    total = None
    for corner in itertools.product(*axes):
        weight, index = None, None
        for (share, at), size in zip(corner, space, strict=True):
            weight = share if weight is None else weight * share
            index = at if index is None else index * size + at
        index = xp.reshape(index + first, (-1,))
        values = xp.reshape(xp.take(rows, index, axis=0), (*grid.shape[:-1], x.shape[-1]))
        part = values * xp.expand_dims(weight, axis=-1)
        total = part if total is None else total + part
    return total


def _neighbours(xp: Any, place: Any, size: int, padding: str) -> list[tuple[Any, Any]]:
    """Return the two entries beside each place along one axis, and how much of each counts."""
    if padding == "border":
        place = xp.clip(place, 0.0, size - 1.0)
    low = xp.floor(place)
    found = []
    for at, share in ((low, low + 1.0 - place), (low + 1.0, place - low)):
        inside = xp.logical_and(at >= 0.0, at <= size - 1.0)
        index = xp.astype(xp.clip(at, 0.0, size - 1.0), xp.arange(1).dtype)
        found.append((xp.where(inside, share, xp.zeros_like(share)), index))
    return found


def _first_rows(xp: Any, x: Any, grid: Any) -> Any:
    """Return where each sample begins in the rows of all, to be added to the places of a grid."""
    step = math.prod(x.shape[1:-1])
    starts = xp.arange(x.shape[0], device=device_of(x)) * step
    return xp.reshape(starts, (x.shape[0], *(1,) * (grid.ndim - 2)))


def _check(x: Any, grid: Any) -> None:
    checks.rank_at_least("x", x, 3)
    checks.rank_at_least("grid", grid, 2)
    checks.real_floating("x", x)
    checks.same_kind("grid", grid, "x", x)
    checks.last_axis("grid", grid, x.ndim - 2, "x.ndim - 2")
    if grid.shape[0] != x.shape[0]:
        raise ShapeError(f"grid.shape[0] == x.shape[0]: {grid.shape[0]} != {x.shape[0]}")
    if 0 in x.shape[1:-1]:
        raise ShapeError(f"x.shape[1:-1] >= 1: {tuple(x.shape[1:-1])}: there is nothing to read")
