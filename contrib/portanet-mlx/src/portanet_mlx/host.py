"""What NumPy computes for MLX."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import mlx.core as mx
import numpy as np


def on_numpy(function: Callable[..., Any], *arrays: Any, **options: Any) -> Any:
    """Let NumPy compute what MLX has no function for."""
    return mx.array(function(*(np.array(x) for x in arrays), **options))
