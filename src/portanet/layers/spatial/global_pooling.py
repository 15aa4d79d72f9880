"""Pooling to a given size, and over everything."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from typing import Any

from portanet import checks, functional
from portanet.core import Layer
from portanet.functional.spatial.geometry import Sizes
from portanet.layers.spatial import _windows
from portanet.layers.spatial.pooling import check_power


@dataclass(frozen=True)
class GlobalMaxPool(Layer):
    """The largest entry of each channel.

    Notes
    -----
    Input: real floating array of shape ``(N, *spatial, C)``. Output: (N, 1, …, 1, C). Where several
    entries are largest, the first one has the derivative.

    Parameter tree: empty. State tree: empty.

    Raises
    ------
    ShapeError
        In the call, if the input has no spatial axes, or an empty one.

    Examples
    --------
    >>> import numpy as np
    >>> import portanet as pn
    >>> pn.GlobalMaxPool()(np.ones((2, 7, 5, 3), np.float32), {}, {})[0].shape
    (2, 1, 1, 3)
    """

    def __call__(self, x: Any, ps: Any, st: Any) -> tuple[Any, Any]:
        return functional.adaptive_max_pool(_checked(x), 1), st


@dataclass(frozen=True)
class GlobalMeanPool(Layer):
    """The mean of each channel.

    Notes
    -----
    Input: floating array of shape ``(N, *spatial, C)``. Output: (N, 1, …, 1, C).

    Parameter tree: empty. State tree: empty.

    Raises
    ------
    ShapeError
        In the call, if the input has no spatial axes, or an empty one.

    Examples
    --------
    >>> import numpy as np
    >>> import portanet as pn
    >>> pn.GlobalMeanPool()(np.ones((2, 7, 5, 3), np.float32), {}, {})[0].shape
    (2, 1, 1, 3)
    """

    def __call__(self, x: Any, ps: Any, st: Any) -> tuple[Any, Any]:
        return functional.adaptive_mean_pool(_checked(x), 1), st


@dataclass(frozen=True)
class GlobalLPPool(Layer):
    """The p-norm of each channel, ``(Σ |x|^p)^(1/p)``.

    Parameters
    ----------
    p : float
        At least 1.

    Notes
    -----
    Input: real floating array of shape ``(N, *spatial, C)``. Output: (N, 1, …, 1, C). The
    derivative of a channel of zeros is zero.

    Parameter tree: empty. State tree: empty.

    Raises
    ------
    HyperparameterError
        If `p` is less than 1.
    ShapeError
        In the call, if the input has no spatial axes, or an empty one.

    Examples
    --------
    >>> import numpy as np
    >>> import portanet as pn
    >>> pn.GlobalLPPool()(np.ones((1, 3, 3, 1), np.float32), {}, {})[0].shape
    (1, 1, 1, 1)
    """

    _: KW_ONLY
    p: float = 2.0

    def __post_init__(self) -> None:
        check_power(self)

    def __call__(self, x: Any, ps: Any, st: Any) -> tuple[Any, Any]:
        return functional.adaptive_lp_pool(_checked(x), 1, p=self.p), st


@dataclass(frozen=True)
class AdaptiveMaxPool(Layer):
    """The largest entry of each of so many bins.

    Parameters
    ----------
    size : int or tuple of int
        The size of the output along each axis; an integer is for every axis of any input.

    Notes
    -----
    Input: real floating array of shape ``(N, *spatial, C)``.
    Output: ``(N, *size, C)``. Bin `i` of an axis with `n` entries goes from ``i n / size``,
    rounded down, to ``(i + 1) n / size``, rounded up. Where several entries are largest, the
    first one has the derivative.

    Parameter tree: empty. State tree: empty.

    Raises
    ------
    HyperparameterError
        If a size is not a positive integer.
    ShapeError
        In the call, if the input has another number of spatial axes, or an empty one.

    Examples
    --------
    >>> import numpy as np
    >>> import portanet as pn
    >>> pn.AdaptiveMaxPool((2, 3))(np.ones((1, 7, 5, 3), np.float32), {}, {})[0].shape
    (1, 2, 3, 3)
    """

    size: Sizes

    def __post_init__(self) -> None:
        _windows.each_axis(self, None, "size")

    def __call__(self, x: Any, ps: Any, st: Any) -> tuple[Any, Any]:
        return functional.adaptive_max_pool(_checked(x, self.size), self.size), st


@dataclass(frozen=True)
class AdaptiveMeanPool(Layer):
    """The mean of each of so many bins.

    Parameters
    ----------
    size : int or tuple of int
        See `AdaptiveMaxPool`.

    Notes
    -----
    Input: floating array of shape ``(N, *spatial, C)``. Output: ``(N, *size, C)``.

    Parameter tree: empty. State tree: empty.

    Raises
    ------
    HyperparameterError
        If a size is not a positive integer.
    ShapeError
        In the call, if the input has another number of spatial axes, or an empty one.

    Examples
    --------
    >>> import numpy as np
    >>> import portanet as pn
    >>> pn.AdaptiveMeanPool(2)(np.ones((1, 7, 5, 3), np.float32), {}, {})[0].shape
    (1, 2, 2, 3)
    """

    size: Sizes

    def __post_init__(self) -> None:
        _windows.each_axis(self, None, "size")

    def __call__(self, x: Any, ps: Any, st: Any) -> tuple[Any, Any]:
        return functional.adaptive_mean_pool(_checked(x, self.size), self.size), st


@dataclass(frozen=True)
class AdaptiveLPPool(Layer):
    """The p-norm of each of so many bins, ``(Σ |x|^p)^(1/p)``.

    Parameters
    ----------
    size : int or tuple of int
        See `AdaptiveMaxPool`.
    p : float
        At least 1.

    Notes
    -----
    Input: real floating array of shape ``(N, *spatial, C)``.
    Output: ``(N, *size, C)``. The derivative of a bin of zeros is zero.

    Parameter tree: empty. State tree: empty.

    Raises
    ------
    HyperparameterError
        If a size is not a positive integer, or `p` is less than 1.
    ShapeError
        In the call, if the input has another number of spatial axes, or an empty one.

    Examples
    --------
    >>> import numpy as np
    >>> import portanet as pn
    >>> pn.AdaptiveLPPool(2, p=3)(np.ones((1, 7, 5, 3), np.float32), {}, {})[0].shape
    (1, 2, 2, 3)
    """

    size: Sizes
    _: KW_ONLY
    p: float = 2.0

    def __post_init__(self) -> None:
        _windows.each_axis(self, None, "size")
        check_power(self)

    def __call__(self, x: Any, ps: Any, st: Any) -> tuple[Any, Any]:
        return functional.adaptive_lp_pool(_checked(x, self.size), self.size, p=self.p), st


def _checked(x: Any, size: Sizes = 1) -> Any:
    checks.images(x, _windows.rank_of(size))
    checks.floating("x", x)
    return x
