"""Reading images at any place."""

from __future__ import annotations

import itertools
import math
from typing import Any

from portanet import checks
from portanet.errors import ArgumentError, ShapeError, shown
from portanet.functional.half import in_float32
from portanet.interface import array_namespace, device_of

_MODES = "linear", "nearest"
_PADDINGS = "zeros", "border", "reflection"


@in_float32
def grid_sample(
    x: Any,
    grid: Any,
    /,
    *,
    mode: str = "linear",
    padding: str = "zeros",
    align_corners: bool = True,
) -> Any:
    """Read images at the places of a grid, linearly between their entries [1]_.

    Parameters
    ----------
    x : array, shape ``(N, *space, channels)``
        Real floating point numbers; space has any number of axes.
    grid : array, shape ``(N, *places, d)``
        For each place its d coordinates, from -1 to 1 over the image; the first one counts along
        the last axis of space, as in (x, y) of an image of rows.
    mode : {"linear", "nearest"}
        Whether a place between entries is read linearly, or from the nearest one, which has no
        derivative by the grid; halves go to the even entry.
    padding : {"zeros", "border", "reflection"}
        What there is outside of the image: zeros, its nearest entry, or the image in a mirror at
        -1 and 1.
    align_corners : bool
        Whether -1 and 1 are the centres of the outermost entries, and not their outer edges.

    Returns
    -------
    array, shape ``(N, *places, channels)``
        NaN at a place of which a coordinate is NaN.

    Raises
    ------
    ArgumentError
        If `mode` or `padding` is none of these.
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
    for name, given, options in (("mode", mode, _MODES), ("padding", padding, _PADDINGS)):
        if given not in options:
            listed = ", ".join(map(repr, options))
            raise ArgumentError(f"{name} is one of {listed}: got {shown(given)}")
    _check(x, grid)
    xp, space = array_namespace(x, grid), x.shape[1:-1]
    axes = []
    for i, size in enumerate(space):
        place = grid[..., len(space) - 1 - i]
        if align_corners:
            place = (place + 1.0) * (0.5 * (size - 1))
        else:
            place = (place + 1.0) * (0.5 * size) - 0.5
        if padding == "reflection":
            edge = 0.0 if align_corners else -0.5
            place = _reflected(xp, place, edge, size - 1.0 - edge)
        if padding != "zeros":
            place = xp.clip(place, 0.0, size - 1.0)
        axes.append(_neighbours(xp, place, size, mode))
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


def _reflected(xp: Any, place: Any, low: float, high: float) -> Any:
    """Return where places lie that are thrown back at both ends."""
    span = high - low
    if span == 0:
        return xp.full_like(place, low)
    turns = (place - low) / (2.0 * span)
    return low + 2.0 * span * xp.abs(turns - xp.floor(turns + 0.5))


def _neighbours(xp: Any, place: Any, size: int, mode: str) -> list[tuple[Any, Any]]:
    """Return the entries beside each place along one axis, and how much of each counts."""
    if mode == "nearest":
        place = xp.round(place)
    low = xp.floor(place)
    sides = ((low, low + 1.0 - place), (low + 1.0, place - low))
    found = []
    for at, share in sides[:1] if mode == "nearest" else sides:
        outside = xp.logical_or(at < 0.0, at > size - 1.0)
        nearest = xp.where(at >= 0.0, xp.minimum(at, size - 1.0), 0.0)  # an entry for NaN too
        index = xp.astype(nearest, xp.arange(1).dtype)
        found.append((xp.where(outside, xp.zeros_like(share), share), index))
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
