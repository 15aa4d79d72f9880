"""Layers that change the size of images without weights."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass
from numbers import Real
from typing import Any

from portanet import checks, functional
from portanet.core import Layer
from portanet.functional.spatial.geometry import Sizes
from portanet.functional.spatial.upsampling import MODES
from portanet.layers.spatial import _windows


@dataclass(frozen=True)
class Upsample(Layer):
    """Resampling of images to another size.

    Parameters
    ----------
    scale : float or tuple of float, optional
        The new size over the old one; the new one is rounded down.
    size : int or tuple of int, optional
        The new size itself: exactly one of the two is given.
    mode : {"nearest", "linear", "bilinear", "trilinear", "bicubic"}
        ``"nearest"`` is for any number of axes, ``"linear"`` for one, ``"bilinear"`` and
        ``"bicubic"`` for two, ``"trilinear"`` for three.
    align_corners : bool
        Whether the middles of the pixels at the corners coincide, instead of the corners
        themselves. Not for ``"nearest"``.

    Notes
    -----
    Input: floating array of shape ``(N, *spatial, C)``. Output: ``(N, *size, C)``.

    Parameter tree: empty. State tree: empty.

    Raises
    ------
    HyperparameterError
        If an option is out of its domain, or not exactly one of `scale` and `size` is given.
    ShapeError
        In the call, if the mode is for another number of axes.

    Examples
    --------
    >>> import numpy as np
    >>> import portanet as pn
    >>> x = np.ones((1, 4, 5, 3), np.float32)
    >>> pn.Upsample(2, mode="bilinear")(x, {}, {})[0].shape
    (1, 8, 10, 3)
    >>> pn.Upsample(size=(6, 6))(x, {}, {})[0].shape
    (1, 6, 6, 3)
    """

    scale: float | Sequence[float] | None = None
    _: KW_ONLY
    size: Sizes | None = None
    mode: str = "nearest"
    align_corners: bool = False

    def __post_init__(self) -> None:
        checks.one_of(self, "mode", tuple(MODES))
        checks.flags(self, "align_corners")
        if self.mode == "nearest" and self.align_corners:
            checks.refuse(self, "align_corners is for modes that interpolate", self.mode)
        if (self.scale is None) == (self.size is None):
            relation = "exactly one of scale and size is given"
            checks.refuse(self, relation, (self.scale, self.size))
        if self.size is not None:
            _windows.each_axis(self, MODES[self.mode], "size")
        elif isinstance(self.scale, Sequence) and not isinstance(self.scale, str):
            self._check_scales(self.scale)
        else:
            checks.positive(self, "scale")

    def _check_scales(self, scales: Sequence[float]) -> None:
        rank = MODES[self.mode]
        if not scales or (rank is not None and len(scales) != rank):
            count = "each axis" if rank is None else f"each of {rank} axes"
            checks.refuse(self, f"scale has one entry for {count}", scales)
        for s in scales:
            real = isinstance(s, Real) and not isinstance(s, bool)
            if not real or not 0 < float(s) < math.inf:
                checks.refuse(self, "0 < scale < inf", scales)
        object.__setattr__(self, "scale", tuple(scales))

    def __call__(self, x: Any, ps: Any, st: Any) -> tuple[Any, Any]:
        given = self.scale if self.size is None else self.size
        checks.images(x, _windows.rank_of(given))
        checks.floating("x", x)
        y = functional.upsample(
            x, scale=self.scale, size=self.size, mode=self.mode, align_corners=self.align_corners
        )
        return y, st


@dataclass(frozen=True)
class PixelShuffle(Layer):
    """Move groups of channels into space: sub-pixel resampling [1]_.

    Parameters
    ----------
    factor : int or tuple of int
        How many times larger each spatial axis becomes; an integer is for every axis.

    Notes
    -----
    Input: array of shape ``(N, *spatial, C · prod(factor))``, any dtype. The channels that become
    one block of pixels lie side by side, its last axis fastest. Output:
    ``(N, *(spatial · factor), C)``.

    Parameter tree: empty. State tree: empty.

    Raises
    ------
    HyperparameterError
        If a factor is not a positive integer.
    ShapeError
        In the call, if the factors do not divide the channels.

    References
    ----------
    .. [1] W. Shi et al., "Real-Time Single Image and Video Super-Resolution Using an Efficient
       Sub-Pixel Convolutional Neural Network", CVPR 2016.

    Examples
    --------
    >>> import numpy as np
    >>> import portanet as pn
    >>> pn.PixelShuffle(2)(np.ones((1, 4, 5, 12), np.float32), {}, {})[0].shape
    (1, 8, 10, 3)
    """

    factor: Sizes

    def __post_init__(self) -> None:
        _windows.each_axis(self, None, "factor")

    def __call__(self, x: Any, ps: Any, st: Any) -> tuple[Any, Any]:
        checks.images(x, _windows.rank_of(self.factor))
        return functional.pixel_shuffle(x, self.factor), st


@dataclass(frozen=True)
class PixelUnshuffle(Layer):
    """Move blocks of pixels into channels: the inverse of `PixelShuffle`.

    Parameters
    ----------
    factor : int or tuple of int
        How many times smaller each spatial axis becomes; an integer is for every axis.

    Notes
    -----
    Input: array of shape ``(N, *spatial, C)``, any dtype. Output:
    ``(N, *(spatial / factor), C · prod(factor))``.

    Parameter tree: empty. State tree: empty.

    Raises
    ------
    HyperparameterError
        If a factor is not a positive integer.
    ShapeError
        In the call, if a factor does not divide its axis.

    Examples
    --------
    >>> import numpy as np
    >>> import portanet as pn
    >>> pn.PixelUnshuffle(2)(np.ones((1, 8, 10, 3), np.float32), {}, {})[0].shape
    (1, 4, 5, 12)
    """

    factor: Sizes

    def __post_init__(self) -> None:
        _windows.each_axis(self, None, "factor")

    def __call__(self, x: Any, ps: Any, st: Any) -> tuple[Any, Any]:
        checks.images(x, _windows.rank_of(self.factor))
        return functional.pixel_unshuffle(x, self.factor), st
