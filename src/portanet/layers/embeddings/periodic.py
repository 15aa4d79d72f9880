"""Coordinates that come back after a period."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from portanet import checks
from portanet.core import Layer
from portanet.errors import ShapeError
from portanet.functional.half import in_float32
from portanet.interface import array_namespace


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
        if len(set(self.indices)) != len(self.indices):
            checks.refuse(self, "indices differ", self.indices)
        checks.positives(self, "periods", "indices")

    def __call__(self, x: Any, ps: Any, st: Any) -> tuple[Any, Any]:
        checks.rank_at_least("x", x, 1)
        checks.real_floating("x", x)
        features = x.shape[-1]
        if max(self.indices) >= features:
            raise ShapeError(f"max(indices) < x.shape[-1]: {max(self.indices)} >= {features}")
        return _with_turns(x, self.indices, self.periods), st

    def output_shape(self, input_shape: Any) -> tuple[int, ...]:
        return (*input_shape[:-1], input_shape[-1] + len(self.indices))


@in_float32
def _with_turns(x: Any, indices: tuple[int, ...], periods: tuple[float, ...]) -> Any:
    xp = array_namespace(x)
    others = [x[..., i] for i in range(x.shape[-1]) if i not in indices]
    pairs = zip(indices, periods, strict=True)
    angles = [x[..., i] * (2 * math.pi / period) for i, period in pairs]
    parts = [*others, *map(xp.sin, angles), *map(xp.cos, angles)]
    return xp.stack(parts, axis=-1)
