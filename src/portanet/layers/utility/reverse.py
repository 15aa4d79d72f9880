"""Turning sequences around."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from portanet import checks
from portanet.core import Layer
from portanet.errors import ShapeError
from portanet.functional.indices import indices_below
from portanet.interface import array_namespace, device_of


@dataclass(frozen=True)
class ReverseSequence(Layer):
    """Turn sequences around.

    Parameters
    ----------
    axis : int, optional
        The axis of time; by default 1, as in (N, L, features), or 0 of an array with one axis.

    Notes
    -----
    Input: array of shape (N, L, ...), any dtype, or a tuple of it and ``lengths``, integers of
    shape (N,): then only the first entries of each sequence are turned around, as many as its
    length says, and what pads it stays in its place. Output: an array like the input.

    Parameter tree: empty. State tree: empty.

    Raises
    ------
    HyperparameterError
        If `axis` is not an integer.
    ShapeError
        In the call, if the input has no such axis, or lengths do not fit it.
    DTypeError
        In the call, if the lengths are not integers.

    Examples
    --------
    >>> import numpy as np
    >>> import portanet as pn
    >>> x = np.asarray([[1, 2, 3], [4, 5, 0]])
    >>> pn.ReverseSequence()(x, {}, {})[0]
    array([[3, 2, 1],
           [0, 5, 4]])
    >>> pn.ReverseSequence()((x, np.asarray([3, 2])), {}, {})[0]
    array([[3, 2, 1],
           [5, 4, 0]])
    """

    axis: int | None = None

    def __post_init__(self) -> None:
        if self.axis is not None:
            checks.integers(self, "axis", minimum=None)

    def __call__(self, x: Any, ps: Any, st: Any) -> tuple[Any, Any]:
        x, lengths = x if isinstance(x, tuple | list) and len(x) == 2 else (x, None)
        rank = len(checks.axes("x", x))
        axis = min(1, rank - 1) if self.axis is None else self.axis
        axis = checks.axis_of("x", x, axis)
        if lengths is None:
            return array_namespace(x).flip(x, axis=axis), st
        return _reversed(x, lengths, axis), st


def _reversed(x: Any, lengths: Any, axis: int) -> Any:
    if axis == 0:
        raise ShapeError("axis >= 1 where there are lengths: 0: the first axis counts sequences")
    checks.shape_of("lengths", lengths, (x.shape[0],), "(x.shape[0],)")
    checks.integral("lengths", lengths)
    checks.same_device("lengths", lengths, "x", x)
    lengths = indices_below(
        lengths, size=x.shape[axis] + 1, name="lengths", size_name=f"x.shape[{axis}] + 1"
    )
    xp = array_namespace(x, lengths)
    steps = xp.arange(x.shape[axis], device=device_of(x))
    mirrored = xp.expand_dims(xp.astype(lengths, steps.dtype), axis=1) - 1 - steps
    places = xp.where(mirrored >= 0, mirrored, steps)
    shape = tuple(size if i in (0, axis) else 1 for i, size in enumerate(x.shape))
    places = xp.broadcast_to(xp.reshape(places, shape), x.shape)
    return xp.take_along_axis(x, places, axis=axis)
