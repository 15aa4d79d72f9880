"""How the inputs of the contract tests are drawn, and what a case says.

Inputs are NumPy arrays in float64, drawn for a batch of `n` samples.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

import portanet as pn

Builder = Callable[[np.random.Generator, int], Any]


def floats(*sample: int) -> Builder:
    """Draw normal numbers, an array of shape ``(n, *sample)``."""
    return lambda rng, n: rng.normal(size=(n, *sample))


def indices(high: int, *sample: int) -> Builder:
    """Draw integers from 0 up to `high`."""
    return lambda rng, n: rng.integers(0, high, size=(n, *sample))


def several(*builders: Builder) -> Builder:
    """Draw a tuple of inputs."""
    return lambda rng, n: tuple(builder(rng, n) for builder in builders)


@dataclass(frozen=True)
class LayerCase:
    """A layer, its input, and the modes that refuse a batch without samples, with the text.

    In the modes that are not `smooth` the derivative is, on purpose, not that of the values.
    """

    make: Callable[[], pn.Layer]
    inputs: Builder
    refusal: str = ""
    refusing: tuple[str, ...] = ()
    remembers: bool = False
    smooth: tuple[str, ...] = ("train", "test")


@dataclass(frozen=True)
class LossCase:
    """A loss, a prediction and a target.

    Its values are one an element, or one `per_sample`. It is `of_arrays` if prediction and target
    are two arrays of one shape and floating dtype.
    """

    make: Callable[[], pn.losses.Loss]
    inputs: Builder
    per_sample: bool = False
    of_arrays: bool = True


@dataclass(frozen=True)
class FunctionCase:
    """A function of arrays: its name, how it is called, its inputs, and the same in torch.

    It is not `smooth` if its derivative is, on purpose, not that of its values; `per_sample` says
    that the first axis counts independent samples; `slack` is the error of torch's own
    derivatives where that is above rounding. `of_lapack` are those that numbers longer than
    float64 are too long for.
    """

    name: str
    call: Callable[..., Any]
    inputs: Builder
    oracle: Callable[..., Any] | None = None
    smooth: bool = True
    per_sample: bool = True
    slack: float = 0.0
    of_lapack: bool = False


NO_VALUES = "values a channel >= 2: 0 < 2"
TRAIN = ("train",)
