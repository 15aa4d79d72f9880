"""Distributions that do not depend on the shape."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from portanet.checks import finite, positive, refuse
from portanet.initializers._base import Initializer


@dataclass(frozen=True)
class zeros(Initializer):
    """All entries 0.

    Examples
    --------
    >>> import numpy as np
    >>> import portanet as pn
    >>> pn.initializers.zeros()(np.random.default_rng(0), (2,))
    array([0., 0.], dtype=float32)
    """

    def draw(self, rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
        return np.zeros(shape)


@dataclass(frozen=True)
class ones(Initializer):
    """All entries 1.

    Examples
    --------
    >>> import numpy as np
    >>> import portanet as pn
    >>> pn.initializers.ones()(np.random.default_rng(0), (2,))
    array([1., 1.], dtype=float32)
    """

    def draw(self, rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
        return np.ones(shape)


@dataclass(frozen=True)
class constant(Initializer):
    """All entries `value`.

    Parameters
    ----------
    value : float

    Examples
    --------
    >>> import numpy as np
    >>> import portanet as pn
    >>> pn.initializers.constant(0.5)(np.random.default_rng(0), (2,))
    array([0.5, 0.5], dtype=float32)
    """

    value: float

    def __post_init__(self) -> None:
        finite(self, "value")

    def draw(self, rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
        return np.full(shape, self.value, dtype=np.float64)


@dataclass(frozen=True)
class uniform(Initializer):
    """Every number from `low` to `high` equally likely.

    Parameters
    ----------
    low, high : float, default 0 and 1
        ``low < high``.

    Examples
    --------
    >>> import numpy as np
    >>> import portanet as pn
    >>> w = pn.initializers.uniform(-0.1, 0.1)(np.random.default_rng(0), (100,))
    >>> bool(abs(w).max() <= 0.1)
    True
    """

    low: float = 0.0
    high: float = 1.0

    def __post_init__(self) -> None:
        finite(self, "low", "high")
        if not self.low < self.high:
            refuse(self, "low < high", (self.low, self.high))

    def draw(self, rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
        return rng.uniform(self.low, self.high, shape)


@dataclass(frozen=True)
class normal(Initializer):
    """The normal distribution.

    Parameters
    ----------
    mean : float, default 0
    std : float, default 1
        Standard deviation, above 0.

    Examples
    --------
    >>> import numpy as np
    >>> import portanet as pn
    >>> pn.initializers.normal(std=0.02)(np.random.default_rng(0), (3, 4)).shape
    (3, 4)
    """

    mean: float = 0.0
    std: float = 1.0

    def __post_init__(self) -> None:
        finite(self, "mean")
        positive(self, "std")

    def draw(self, rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
        return rng.normal(self.mean, self.std, shape)


@dataclass(frozen=True)
class truncated_normal(Initializer):
    """The normal distribution given that the number lies from `low` to `high`.

    Parameters
    ----------
    mean : float, default 0
    std : float, default 1
        Standard deviation before the truncation, above 0.
    low, high : float, default -2 and 2
        The bounds themselves, not in units of `std`. At least one percent of the normal
        distribution lies between them.

    Examples
    --------
    >>> import numpy as np
    >>> import portanet as pn
    >>> w = pn.initializers.truncated_normal()(np.random.default_rng(0), (100,))
    >>> bool(abs(w).max() <= 2)
    True
    """

    mean: float = 0.0
    std: float = 1.0
    low: float = -2.0
    high: float = 2.0

    def __post_init__(self) -> None:
        finite(self, "mean", "low", "high")
        positive(self, "std")
        scale = self.std * math.sqrt(2.0)
        inside = math.erf((self.high - self.mean) / scale) - math.erf(
            (self.low - self.mean) / scale
        )
        if not inside / 2.0 >= 0.01:
            refuse(
                self, "normal(mean, std) lies between low and high in >= 0.01 of cases", inside / 2
            )

    def draw(self, rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
        x = np.array(rng.normal(self.mean, self.std, shape))
        outside = self._outside(x)
        while outside.size:
            x.flat[outside] = rng.normal(self.mean, self.std, outside.size)
            outside = outside[self._outside(x.flat[outside])]
        return x

    def _outside(self, x: np.ndarray) -> np.ndarray:
        return np.flatnonzero((x < self.low) | (x > self.high))
