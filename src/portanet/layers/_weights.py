"""What the layers with a weight and a bias share."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from portanet import checks
from portanet.initializers import uniform


def symmetric(fan_in: int) -> Callable[..., np.ndarray]:
    """Return the initializer that is uniform in ``± 1 / √fan_in``."""
    bound = 1 / math.sqrt(fan_in)
    return uniform(-bound, bound)


def bias_of(layer: Any, ps: Any, weight: Any, shape: tuple[int, ...], relation: str) -> Any:
    """Return the checked bias of a layer, None if it has none."""
    if not layer.use_bias:
        return None
    bias = checks.member(ps, "bias", shape, relation)
    checks.alike("ps", "bias", bias, "weight", weight)
    return bias
