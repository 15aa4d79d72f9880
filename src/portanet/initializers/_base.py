"""The call that all initializers share."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import Any

import numpy as np

from portanet.checks import LARGEST, refuse
from portanet.errors import DTypeError, shown


class Initializer(ABC):
    """A frozen description of a distribution, called as ``init(rng, shape, dtype)``.

    A subclass is a frozen dataclass that defines `draw`.
    """

    def __call__(
        self, rng: np.random.Generator, shape: tuple[int, ...], dtype: Any = np.float32
    ) -> np.ndarray:
        """Draw an array on the host.

        Parameters
        ----------
        rng : numpy.random.Generator
            Moves on with the draw.
        shape : tuple of int
        dtype : NumPy dtype, default float32
            Real and floating. Numbers are drawn in float64 and rounded, so that one seed gives
            the same parameters in every dtype.

        Raises
        ------
        HyperparameterError
            If `rng` is no generator or a size in `shape` is no integer from 0 up.
        ShapeError
            If the distribution is not defined for `shape`.
        DTypeError
            If `dtype` is not a real floating one.
        """
        if not isinstance(rng, np.random.Generator):
            refuse(self, "rng is a numpy.random.Generator, as from np.random.default_rng(0)", rng)
        wanted = _floating(self, dtype)
        return np.asarray(self.draw(rng, _sizes(self, shape)), dtype=wanted)

    @abstractmethod
    def draw(self, rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
        """Return the numbers in float64; `shape` is checked."""


def _floating(owner: Initializer, dtype: Any) -> np.dtype:
    try:
        found = np.dtype(dtype)
    except Exception:  # NumPy asks the object in many ways
        found = None
    if dtype is None or found is None or not np.issubdtype(found, np.floating):
        given = shown(dtype) if found is None or dtype is None else found.name
        raise DTypeError(f"{type(owner).__name__}: dtype is real floating: got {given}")
    return found


def _is_size(n: Any) -> bool:
    return isinstance(n, int | np.integer) and not isinstance(n, bool) and bool(n >= 0)


def _sizes(owner: Initializer, shape: Any) -> tuple[int, ...]:
    sizes = tuple(shape) if isinstance(shape, tuple | list) else None
    if sizes is None or not all(map(_is_size, sizes)):
        refuse(owner, "shape is a tuple of integers, each at least 0", shape)
    if math.prod(map(int, sizes)) > LARGEST:
        refuse(owner, f"shape has at most {LARGEST} entries", shape)
    return sizes
