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
    """A layer, its input, and the modes that refuse a batch without samples, with the text."""

    make: Callable[[], pn.Layer]
    inputs: Builder
    refusal: str = ""
    refusing: tuple[str, ...] = ()


@dataclass(frozen=True)
class LossCase:
    """A loss, a prediction and a target."""

    make: Callable[[], pn.losses.Loss]
    inputs: Builder


NO_VALUES = "values a channel >= 2: 0 < 2"
TRAIN = ("train",)
