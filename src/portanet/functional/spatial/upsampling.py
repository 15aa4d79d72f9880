"""Resampling of images to another size."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from portanet.errors import HyperparameterError, ShapeError, shown
from portanet.functional.half import in_float32
from portanet.functional.kernel import kernel
from portanet.functional.spatial.geometry import LONGEST, Sizes, each_axis
from portanet.functional.spatial.resampling import Taps, resampled

MODES = {"nearest": None, "linear": 1, "bilinear": 2, "trilinear": 3, "bicubic": 2}
_CUBIC = -0.75


def upsample(
    x: Any,
    *,
    scale: float | Sequence[float] | None = None,
    size: Sizes | None = None,
    mode: str = "nearest",
    align_corners: bool = False,
) -> Any:
    """Resample the spatial axes of `x` to another size, larger or smaller.

    Parameters
    ----------
    x : array, shape ``(N, *spatial, C)``
    scale : float or one an axis, optional
        The new size over the old one; the new one is rounded down.
    size : int or one an axis, optional
        The new size itself: exactly one of the two is given.
    mode : {"nearest", "linear", "bilinear", "trilinear", "bicubic"}, default "nearest"
        ``"nearest"`` is for any number of axes, ``"linear"`` for one, ``"bilinear"`` and
        ``"bicubic"`` for two, ``"trilinear"`` for three.
    align_corners : bool, default False
        Where the entries lie that are put between: by default each is the middle of a cell, and
        the cells of both images cover the same area; if true, the middles of the cells at the
        corners coincide. Not for ``"nearest"``.

    Returns
    -------
    array, shape ``(N, *size, C)``

    Raises
    ------
    HyperparameterError
        If an option is out of its domain.
    ShapeError
        If the mode is for another number of axes, or an axis is empty.

    References
    ----------
    .. [1] R. G. Keys, "Cubic Convolution Interpolation for Digital Image Processing", 1981; the
       parameter is -0.75.

    Examples
    --------
    >>> import numpy as np
    >>> from portanet import functional
    >>> x = np.reshape(np.asarray([0.0, 3.0]), (1, 2, 1))
    >>> print(functional.upsample(x, scale=2)[0, :, 0])
    [0. 0. 3. 3.]
    >>> print(functional.upsample(x, size=4, mode="linear", align_corners=True)[0, :, 0])
    [0. 1. 2. 3.]
    """
    if mode not in MODES:
        raise HyperparameterError(
            f"mode is one of {', '.join(map(repr, MODES))}: got {shown(mode)}"
        )
    if mode == "nearest" and align_corners:
        raise HyperparameterError("align_corners is for the modes that interpolate: not 'nearest'")
    rank = x.ndim - 2
    if rank < 1 or MODES[mode] not in (None, rank):
        wanted = ">= 3" if MODES[mode] is None else f"== {MODES[mode] + 2}"
        raise ShapeError(
            f"x.ndim {wanted} for mode {mode!r}: x.ndim is {x.ndim}: x has the axes "
            "(N, *spatial, C)"
        )
    spatial = tuple(x.shape[1:-1])
    if 0 in spatial:
        raise ShapeError(f"x.shape[{spatial.index(0) + 1}] >= 1: 0 < 1: there is nothing to read")
    scales, sizes = _sizes(spatial, scale, size)
    return resized(x, sizes, scales, mode, align_corners)


def _sizes(
    spatial: tuple[int, ...], scale: Any, size: Any
) -> tuple[tuple[float, ...] | None, tuple[int, ...]]:
    if (scale is None) == (size is None):
        raise HyperparameterError(f"exactly one of scale and size: got {shown(scale)} and {size!r}")
    if scale is None:
        return None, each_axis("size", size, len(spatial))
    scales: tuple[float, ...] = (
        (float(scale),) * len(spatial) if isinstance(scale, int | float) else tuple(scale)
    )
    if len(scales) != len(spatial):
        raise HyperparameterError(
            f"len(scale) == spatial axes of x: {len(scales)} != {len(spatial)}"
        )
    if any(not 0 < s < math.inf for s in scales):
        raise HyperparameterError(f"0 < scale < inf: got {shown(scale)}")
    sizes = tuple(math.floor(n * s) for n, s in zip(spatial, scales, strict=True))
    if max(sizes) > LONGEST:
        raise HyperparameterError(f"x.shape * scale <= {LONGEST}: got the sizes {sizes}")
    if 0 in sizes:
        axis = sizes.index(0)
        raise HyperparameterError(
            f"x.shape[{axis + 1}] * scale >= 1: {spatial[axis]} * {scales[axis]} < 1"
        )
    return tuple(map(float, scales)), sizes


@in_float32
@kernel
def resized(
    x: Any,
    sizes: tuple[int, ...],
    scales: tuple[float, ...] | None,
    mode: str,
    align_corners: bool,
) -> Any:
    """Resample each spatial axis of `x` in turn."""
    for axis, m in enumerate(sizes, start=1):
        n = x.shape[axis]
        ratio = n / m if scales is None else 1 / scales[axis - 1]
        if align_corners:
            ratio = (n - 1) / (m - 1) if m > 1 else 0.0
        if n != m or ratio != 1:
            x = resampled(x, taps=_taps(n, m, ratio, mode, align_corners), axis=axis)
    return x


def _taps(n: int, m: int, ratio: float, mode: str, align_corners: bool) -> Taps:
    """How `m` entries, `ratio` of the old ones apart, are read from `n`."""
    sources, weights = [], []
    for i in range(m):
        if mode == "nearest":
            exact = i * n // m if ratio == n / m else math.floor(i * ratio)
            sources.append((min(exact, n - 1),))
            weights.append((1.0,))
            continue
        at = i * ratio if align_corners else (i + 0.5) * ratio - 0.5
        if mode == "bicubic":
            first = math.floor(at)
            places, parts = range(first - 1, first + 3), _cubic(at - first)
        else:
            first = min(math.floor(max(at, 0.0)), n - 1)
            t = min(max(at, 0.0) - first, 1.0)
            places, parts = (first, first + 1), (1.0 - t, t)
        sources.append(tuple(min(max(place, 0), n - 1) for place in places))
        weights.append(parts)
    return Taps(tuple(sources), tuple(weights), n)


def _cubic(t: float) -> tuple[float, ...]:
    """The weights of the four entries around a place that is `t` after the second one."""

    def near(d: float) -> float:
        return ((_CUBIC + 2) * d - (_CUBIC + 3)) * d * d + 1

    def far(d: float) -> float:
        return ((d - 5) * d + 8) * d * _CUBIC - 4 * _CUBIC

    return far(t + 1), near(t), near(1 - t), far(2 - t)
