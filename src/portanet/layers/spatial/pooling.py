"""Pooling over windows, over the whole input, and to a size."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from typing import Any

from portanet import checks, functional
from portanet.core import Layer
from portanet.functional.spatial.geometry import Padding, Sizes
from portanet.layers.spatial import _windows


@dataclass(frozen=True)
class MaxPool(Layer):
    """The largest entry of each window.

    Parameters
    ----------
    window : int or tuple of int
        The size of the window along each axis; an integer is for every axis of any input.
    stride : int or tuple of int, optional
        The steps between windows. By default the window's size: windows that touch.
    padding : int, tuple of int or of pairs, "same" or "valid"
        Entries around the input, which never are the largest.
    dilation : int or tuple of int
        The steps between the entries of a window.
    ceil_mode : bool
        Whether a last window counts that begins in the input, or in the padding before it, and
        reaches over its end: the sizes of the output are then rounded up.

    Notes
    -----
    Input: real floating array of shape ``(N, *spatial, C)``.
    Output: ``(N, *output, C)``, along each axis
    ``(n + padding - dilation * (window - 1) - 1) // stride + 1`` entries. Where several
    entries are largest, the first one has the derivative.

    Parameter tree: empty. State tree: empty.

    Raises
    ------
    HyperparameterError
        If an option is out of its domain.
    ShapeError
        In the call, if the window is larger than the padded input.

    Examples
    --------
    >>> import numpy as np
    >>> import portanet as pn
    >>> pn.MaxPool(2)(np.ones((1, 8, 8, 3), np.float32), {}, {})[0].shape
    (1, 4, 4, 3)
    """

    window: checks.Sizes
    _: KW_ONLY
    stride: Sizes | None = None
    padding: Padding = 0
    dilation: Sizes = 1
    ceil_mode: bool = False

    def __post_init__(self) -> None:
        _check_windows(self)

    def __call__(self, x: Any, ps: Any, st: Any) -> tuple[Any, Any]:
        return functional.max_pool(_checked(self, x), self.window, **_options(self)), st


@dataclass(frozen=True)
class MeanPool(Layer):
    """The mean of each window.

    Parameters
    ----------
    window, stride, dilation, ceil_mode : as in `MaxPool`
    padding : int, tuple of int or of pairs, "same" or "valid"
        The zeros around the input.
    count_padding : bool
        Whether these zeros count as entries of a window.

    Notes
    -----
    Input: floating array of shape ``(N, *spatial, C)``. Output: ``(N, *output, C)``, of the size of
    `MaxPool`.

    Parameter tree: empty. State tree: empty.

    Raises
    ------
    HyperparameterError
        If an option is out of its domain.
    ShapeError
        In the call, if the window is larger than the padded input.

    Examples
    --------
    >>> import numpy as np
    >>> import portanet as pn
    >>> x = np.reshape(np.arange(4, dtype=np.float32), (1, 4, 1))
    >>> pn.MeanPool(2)(x, {}, {})[0][0, :, 0]
    array([0.5, 2.5], dtype=float32)
    """

    window: checks.Sizes
    _: KW_ONLY
    stride: Sizes | None = None
    padding: Padding = 0
    dilation: Sizes = 1
    ceil_mode: bool = False
    count_padding: bool = True

    def __post_init__(self) -> None:
        _check_windows(self)
        checks.flags(self, "count_padding")

    def __call__(self, x: Any, ps: Any, st: Any) -> tuple[Any, Any]:
        options = {**_options(self), "count_padding": self.count_padding}
        return functional.mean_pool(_checked(self, x), self.window, **options), st


@dataclass(frozen=True)
class LPPool(Layer):
    """The p-norm of each window, ``(Σ |x|^p)^(1/p)`` [1]_.

    Parameters
    ----------
    window, stride, dilation, ceil_mode : as in `MaxPool`
    p : float
        At least 1.
    padding : int, tuple of int or of pairs, "same" or "valid"
        The zeros around the input.

    Notes
    -----
    Input: real floating array of shape ``(N, *spatial, C)``.
    Output: ``(N, *output, C)``, of the size of `MaxPool`. The derivative of a window of
    zeros is zero.

    Parameter tree: empty. State tree: empty.

    Raises
    ------
    HyperparameterError
        If an option is out of its domain.
    ShapeError
        In the call, if the window is larger than the padded input.

    References
    ----------
    .. [1] P. Sermanet, S. Chintala, Y. LeCun, "Convolutional Neural Networks Applied to House
       Numbers Digit Classification", ICPR 2012.

    Examples
    --------
    >>> import numpy as np
    >>> import portanet as pn
    >>> x = np.reshape(np.asarray([3, -4, 0, 2], np.float32), (1, 4, 1))
    >>> pn.LPPool(2)(x, {}, {})[0][0, :, 0]
    array([5., 2.], dtype=float32)
    """

    window: checks.Sizes
    _: KW_ONLY
    p: float = 2.0
    stride: Sizes | None = None
    padding: Padding = 0
    dilation: Sizes = 1
    ceil_mode: bool = False

    def __post_init__(self) -> None:
        _check_windows(self)
        check_power(self)

    def __call__(self, x: Any, ps: Any, st: Any) -> tuple[Any, Any]:
        return functional.lp_pool(_checked(self, x), self.window, p=self.p, **_options(self)), st


def _check_windows(layer: Any) -> None:
    _windows.each_axis(layer, None, "window")
    rank = _windows.rank_of(layer.window)
    names = ("dilation",) if layer.stride is None else ("stride", "dilation")
    _windows.each_axis(layer, rank, *names)
    _windows.padding(layer, rank)
    checks.flags(layer, "ceil_mode")


def check_power(layer: Any) -> None:
    """The field `p` of a layer is a finite number, at least 1."""
    checks.finite(layer, "p")
    if layer.p < 1:
        checks.refuse(layer, "p >= 1", layer.p)


def _checked(layer: Any, x: Any) -> Any:
    checks.images(x, _windows.rank_of(layer.window))
    checks.floating("x", x)
    return x


def _options(layer: Any) -> dict[str, Any]:
    names = ("stride", "padding", "dilation", "ceil_mode")
    return {name: getattr(layer, name) for name in names}
