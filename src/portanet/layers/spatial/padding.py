"""Layers that widen images at their ends."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from typing import Any, ClassVar

from portanet import checks
from portanet.core import Layer
from portanet.functional import pad
from portanet.functional.spatial.geometry import pad_widths
from portanet.layers.spatial import _windows


@dataclass(frozen=True)
class _Pad(Layer):
    """Widen the spatial axes; a subclass says with what."""

    mode: ClassVar[str]

    padding: Any

    def __post_init__(self) -> None:
        _windows.padding(self, None, named=False)

    def __call__(self, x: Any, ps: Any, st: Any) -> tuple[Any, Any]:
        shape = checks.images(x, _windows.rank_of(self.padding))
        widths = ((0, 0), *pad_widths(self.padding, len(shape) - 2), (0, 0))
        return pad(x, widths, self.mode, self._value), st

    @property
    def _value(self) -> float:
        return 0.0


@dataclass(frozen=True)
class ConstantPad(_Pad):
    """Put a number around images.

    Parameters
    ----------
    padding : int, tuple of int or of pairs
        How many entries at every end; at both ends of each axis; or before and after each.
    value : float
        The number.

    Notes
    -----
    Input: array of shape ``(N, *spatial, C)``. Output: ``(N, *(spatial + padding), C)``.

    Parameter tree: empty. State tree: empty.

    Raises
    ------
    HyperparameterError
        If a width is not an integer from 0 up, or the value not finite.
    ShapeError
        In the call, if the input has another number of spatial axes.

    Examples
    --------
    >>> import numpy as np
    >>> import portanet as pn
    >>> x = np.reshape(np.asarray([1.0, 2.0, 3.0], np.float32), (1, 3, 1))
    >>> pn.ConstantPad(1, value=9)(x, {}, {})[0][0, :, 0]
    array([9., 1., 2., 3., 9.], dtype=float32)
    """

    mode = "constant"

    _: KW_ONLY
    value: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        checks.finite(self, "value")

    @property
    def _value(self) -> float:
        return self.value


@dataclass(frozen=True)
class ZeroPad(_Pad):
    """Put zeros around images.

    Parameters
    ----------
    padding : int, tuple of int or of pairs
        How many entries at every end; at both ends of each axis; or before and after each.

    Notes
    -----
    Input: array of shape ``(N, *spatial, C)``. Output: ``(N, *(spatial + padding), C)``.

    Parameter tree: empty. State tree: empty.

    Raises
    ------
    HyperparameterError
        If a width is not an integer from 0 up.
    ShapeError
        In the call, if the input has another number of spatial axes.

    Examples
    --------
    >>> import numpy as np
    >>> import portanet as pn
    >>> pn.ZeroPad(((1, 0), (2, 2)))(np.ones((1, 4, 4, 3), np.float32), {}, {})[0].shape
    (1, 5, 8, 3)
    """

    mode = "constant"


@dataclass(frozen=True)
class ReflectionPad(_Pad):
    """Put around images their mirror image about the entry at the end.

    Parameters
    ----------
    padding : int, tuple of int or of pairs
        How many entries at every end; at both ends of each axis; or before and after each.

    Notes
    -----
    Input: array of shape ``(N, *spatial, C)``. Output: ``(N, *(spatial + padding), C)``.

    Parameter tree: empty. State tree: empty.

    Raises
    ------
    HyperparameterError
        If a width is not an integer from 0 up.
    ShapeError
        In the call, if the input has another number of spatial axes, or too few entries.

    Examples
    --------
    >>> import numpy as np
    >>> import portanet as pn
    >>> x = np.reshape(np.asarray([1.0, 2.0, 3.0], np.float32), (1, 3, 1))
    >>> pn.ReflectionPad(2)(x, {}, {})[0][0, :, 0]
    array([3., 2., 1., 2., 3., 2., 1.], dtype=float32)
    """

    mode = "reflect"


@dataclass(frozen=True)
class ReplicationPad(_Pad):
    """Put around images the entry at the end.

    Parameters
    ----------
    padding : int, tuple of int or of pairs
        How many entries at every end; at both ends of each axis; or before and after each.

    Notes
    -----
    Input: array of shape ``(N, *spatial, C)``. Output: ``(N, *(spatial + padding), C)``.

    Parameter tree: empty. State tree: empty.

    Raises
    ------
    HyperparameterError
        If a width is not an integer from 0 up.
    ShapeError
        In the call, if the input has another number of spatial axes, or an empty one.

    Examples
    --------
    >>> import numpy as np
    >>> import portanet as pn
    >>> x = np.reshape(np.asarray([1.0, 2.0, 3.0], np.float32), (1, 3, 1))
    >>> pn.ReplicationPad(2)(x, {}, {})[0][0, :, 0]
    array([1., 1., 1., 2., 3., 3., 3.], dtype=float32)
    """

    mode = "edge"


@dataclass(frozen=True)
class CircularPad(_Pad):
    """Put around images the entries of the other end.

    Parameters
    ----------
    padding : int, tuple of int or of pairs
        How many entries at every end; at both ends of each axis; or before and after each.

    Notes
    -----
    Input: array of shape ``(N, *spatial, C)``. Output: ``(N, *(spatial + padding), C)``.

    Parameter tree: empty. State tree: empty.

    Raises
    ------
    HyperparameterError
        If a width is not an integer from 0 up.
    ShapeError
        In the call, if the input has another number of spatial axes, or an empty one.

    Examples
    --------
    >>> import numpy as np
    >>> import portanet as pn
    >>> x = np.reshape(np.asarray([1.0, 2.0, 3.0], np.float32), (1, 3, 1))
    >>> pn.CircularPad(1)(x, {}, {})[0][0, :, 0]
    array([3., 1., 2., 3., 1.], dtype=float32)
    """

    mode = "wrap"
