"""Distributions whose width keeps the variance of signals from layer to layer."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from portanet.checks import one_of, positive
from portanet.initializers._base import Initializer
from portanet.initializers.basic import truncated_normal
from portanet.initializers.fans import fans


def _glorot_std(gain: float, shape: tuple[int, ...]) -> float:
    return gain * math.sqrt(2.0 / max(sum(fans(shape)), 1))


def _fan_in_std(gain: float, shape: tuple[int, ...]) -> float:
    return gain / math.sqrt(max(fans(shape)[0], 1))


def _uniform(rng: np.random.Generator, std: float, shape: tuple[int, ...]) -> np.ndarray:
    bound = math.sqrt(3.0) * std
    return rng.uniform(-bound, bound, shape)


@dataclass(frozen=True)
class glorot_uniform(Initializer):
    """Uniform within ``± gain * sqrt(6 / (fan_in + fan_out))``, also known as Xavier.

    Parameters
    ----------
    gain : float, default 1
        Above 0; see `gain`.

    References
    ----------
    .. [1] X. Glorot, Y. Bengio, "Understanding the Difficulty of Training Deep Feedforward
       Neural Networks", AISTATS 2010.

    Examples
    --------
    >>> import numpy as np
    >>> import portanet as pn
    >>> w = pn.initializers.glorot_uniform()(np.random.default_rng(0), (2, 4))
    >>> bool(abs(w).max() <= 1)
    True
    """

    gain: float = 1.0

    def __post_init__(self) -> None:
        positive(self, "gain")

    def draw(self, rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
        return _uniform(rng, _glorot_std(self.gain, shape), shape)


@dataclass(frozen=True)
class glorot_normal(Initializer):
    """Normal with the standard deviation ``gain * sqrt(2 / (fan_in + fan_out))``.

    Parameters
    ----------
    gain : float, default 1
        Above 0; see `gain`.

    References
    ----------
    .. [1] X. Glorot, Y. Bengio, "Understanding the Difficulty of Training Deep Feedforward
       Neural Networks", AISTATS 2010.

    Examples
    --------
    >>> import numpy as np
    >>> import portanet as pn
    >>> pn.initializers.glorot_normal()(np.random.default_rng(0), (2, 4)).shape
    (2, 4)
    """

    gain: float = 1.0

    def __post_init__(self) -> None:
        positive(self, "gain")

    def draw(self, rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
        return rng.normal(0.0, _glorot_std(self.gain, shape), shape)


@dataclass(frozen=True)
class kaiming_uniform(Initializer):
    """Uniform within ``± gain * sqrt(3 / fan_in)``, also known as He.

    Parameters
    ----------
    gain : float, default sqrt(2)
        Above 0; see `gain`. The default is that of `relu`.

    References
    ----------
    .. [1] K. He, X. Zhang, S. Ren, J. Sun, "Delving Deep into Rectifiers", ICCV 2015.

    Examples
    --------
    >>> import numpy as np
    >>> import portanet as pn
    >>> w = pn.initializers.kaiming_uniform(gain=1)(np.random.default_rng(0), (5, 3))
    >>> bool(abs(w).max() <= 1)
    True
    """

    gain: float = math.sqrt(2.0)

    def __post_init__(self) -> None:
        positive(self, "gain")

    def draw(self, rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
        return _uniform(rng, _fan_in_std(self.gain, shape), shape)


@dataclass(frozen=True)
class kaiming_normal(Initializer):
    """Normal with the standard deviation ``gain / sqrt(fan_in)``.

    Parameters
    ----------
    gain : float, default sqrt(2)
        Above 0; see `gain`. The default is that of `relu`.

    References
    ----------
    .. [1] K. He, X. Zhang, S. Ren, J. Sun, "Delving Deep into Rectifiers", ICCV 2015.

    Examples
    --------
    >>> import numpy as np
    >>> import portanet as pn
    >>> pn.initializers.kaiming_normal()(np.random.default_rng(0), (5, 3)).shape
    (5, 3)
    """

    gain: float = math.sqrt(2.0)

    def __post_init__(self) -> None:
        positive(self, "gain")

    def draw(self, rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
        return rng.normal(0.0, _fan_in_std(self.gain, shape), shape)


@dataclass(frozen=True)
class lecun_normal(Initializer):
    """Normal with the standard deviation ``1 / sqrt(fan_in)``: the choice for `selu`.

    References
    ----------
    .. [1] Y. LeCun, L. Bottou, G. B. Orr, K.-R. Müller, "Efficient BackProp", 1998.

    Examples
    --------
    >>> import numpy as np
    >>> import portanet as pn
    >>> pn.initializers.lecun_normal()(np.random.default_rng(0), (5, 3)).shape
    (5, 3)
    """

    def draw(self, rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
        return rng.normal(0.0, _fan_in_std(1.0, shape), shape)


@dataclass(frozen=True)
class lecun_uniform(Initializer):
    """Uniform within ``± sqrt(3 / fan_in)``.

    References
    ----------
    .. [1] Y. LeCun, L. Bottou, G. B. Orr, K.-R. Müller, "Efficient BackProp", 1998.

    Examples
    --------
    >>> import numpy as np
    >>> import portanet as pn
    >>> w = pn.initializers.lecun_uniform()(np.random.default_rng(0), (5, 3))
    >>> bool(abs(w).max() <= 1)
    True
    """

    def draw(self, rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
        return _uniform(rng, _fan_in_std(1.0, shape), shape)


@dataclass(frozen=True)
class variance_scaling(Initializer):
    """Numbers of mean 0 and variance ``scale / n``, where `n` is a fan: the others in one.

    Parameters
    ----------
    scale : float, default 1
        Above 0.
    mode : {"fan_in", "fan_out", "fan_avg"}, default "fan_in"
        What `n` is; the last one is the mean of the other two.
    distribution : {"truncated_normal", "normal", "uniform"}, default "truncated_normal"
        The first is cut off at two of its standard deviations, and widened so that the variance is
        that after the cut.

    References
    ----------
    .. [1] K. He, X. Zhang, S. Ren, J. Sun, "Delving Deep into Rectifiers", ICCV 2015.

    Examples
    --------
    >>> import numpy as np
    >>> import portanet as pn
    >>> init = pn.initializers.variance_scaling(2.0, "fan_out", "normal")
    >>> print(init(np.random.default_rng(0), (100, 1000)).std().round(2))
    0.14
    """

    scale: float = 1.0
    mode: str = "fan_in"
    distribution: str = "truncated_normal"

    def __post_init__(self) -> None:
        positive(self, "scale")
        one_of(self, "mode", ("fan_in", "fan_out", "fan_avg"))
        one_of(self, "distribution", ("truncated_normal", "normal", "uniform"))

    def draw(self, rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
        fan_in, fan_out = fans(shape)
        n = {"fan_in": fan_in, "fan_out": fan_out, "fan_avg": (fan_in + fan_out) / 2}[self.mode]
        std = math.sqrt(self.scale / max(n, 1))
        if self.distribution == "uniform":
            return _uniform(rng, std, shape)
        if self.distribution == "normal":
            return rng.normal(0.0, std, shape)
        std /= 0.87962566103423978  # the deviation of a standard normal number within [-2, 2]
        return truncated_normal(0.0, std, -2.0 * std, 2.0 * std).draw(rng, shape)
