"""Layers that rearrange sequences and coordinates."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from portanet import checks
from portanet.backends import array_namespace, backend_of
from portanet.core import Layer
from portanet.errors import ShapeError


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
        if not -rank <= axis < rank:
            raise ShapeError(f"-x.ndim <= axis < x.ndim: axis {axis}, x.ndim {rank}")
        axis %= rank
        if lengths is None:
            return array_namespace(x).flip(x, axis=axis), st
        return _reversed(x, lengths, axis), st


def _reversed(x: Any, lengths: Any, axis: int) -> Any:
    if axis == 0:
        raise ShapeError("axis >= 1 where there are lengths: 0: the first axis counts sequences")
    checks.shape_of("lengths", lengths, (x.shape[0],), "(x.shape[0],)")
    checks.integral("lengths", lengths)
    checks.same_device("lengths", lengths, "x", x)
    xp, device = array_namespace(x, lengths), backend_of(x).device_of(x)
    steps = xp.arange(x.shape[axis], device=device)
    mirrored = xp.expand_dims(xp.astype(lengths, steps.dtype), axis=1) - 1 - steps
    places = xp.where(mirrored >= 0, mirrored, steps)
    shape = tuple(size if i in (0, axis) else 1 for i, size in enumerate(x.shape))
    places = xp.broadcast_to(xp.reshape(places, shape), x.shape)
    return xp.take_along_axis(x, places, axis=axis)


@dataclass(frozen=True)
class PeriodicEmbedding(Layer):
    r"""Replace periodic coordinates by their sine and cosine.

    A coordinate :math:`x` of period :math:`T` becomes :math:`\sin(2 \pi x / T)` and
    :math:`\cos(2 \pi x / T)`, which are equal for what is a whole number of periods apart.

    Parameters
    ----------
    indices : int or sequence of int
        Which entries of the last axis are periodic.
    periods : float or sequence of float
        The period of each of them, above zero.

    Notes
    -----
    Input: floating array of shape (..., features). Output: (..., features + len(indices)): the
    other features in their order, then the sines, then the cosines.

    Parameter tree: empty. State tree: empty.

    Raises
    ------
    HyperparameterError
        If an index is negative or occurs twice, a period is not above zero, or their numbers
        differ.
    ShapeError
        In the call, if the last axis has no such index.

    Examples
    --------
    >>> import numpy as np
    >>> import portanet as pn
    >>> day_and_hour = np.asarray([[3.0, 6.0], [4.0, 30.0]])
    >>> np.round(pn.PeriodicEmbedding(1, 24.0)(day_and_hour, {}, {})[0], 3)
    array([[3., 1., 0.],
           [4., 1., 0.]])
    """

    indices: checks.Sizes
    periods: Any

    def __post_init__(self) -> None:
        checks.sizes(self, "indices", minimum=0)
        given = self.periods
        periods = tuple(given) if hasattr(given, "__iter__") and given != "" else (given,)
        if any(isinstance(p, str | bool) or not p > 0 or not math.isfinite(p) for p in periods):
            checks.refuse(self, "periods > 0", given)
        object.__setattr__(self, "periods", tuple(map(float, periods)))
        if len(set(self.indices)) != len(self.indices):
            checks.refuse(self, "indices differ", self.indices)
        if len(self.indices) != len(periods):
            checks.refuse(self, f"len(periods) == len(indices) == {len(self.indices)}", given)

    def __call__(self, x: Any, ps: Any, st: Any) -> tuple[Any, Any]:
        checks.rank_at_least("x", x, 1)
        checks.real_floating("x", x)
        features = x.shape[-1]
        if max(self.indices) >= features:
            raise ShapeError(f"max(indices) < x.shape[-1]: {max(self.indices)} >= {features}")
        xp = array_namespace(x)
        others = [x[..., i] for i in range(features) if i not in self.indices]
        pairs = zip(self.indices, self.periods, strict=True)
        angles = [x[..., i] * (2 * math.pi / period) for i, period in pairs]
        parts = [*others, *map(xp.sin, angles), *map(xp.cos, angles)]
        return xp.stack(parts, axis=-1), st

    def output_shape(self, input_shape: Any) -> tuple[int, ...]:
        return (*input_shape[:-1], input_shape[-1] + len(self.indices))
