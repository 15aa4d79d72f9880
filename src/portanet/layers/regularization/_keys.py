"""The random key in the states of a layer."""

from __future__ import annotations

from typing import Any

import numpy as np

from portanet import checks
from portanet.errors import ParameterTreeError
from portanet.random import Key


def initial_key(rng: np.random.Generator) -> dict[str, Any]:
    """Draw the states of a layer that draws while it trains."""
    return {"key": Key.from_generator(rng), "training": True}


def key_of(st: Any) -> Key:
    """Return the key in the states."""
    key = checks.entry(st, "key", "st")
    if not isinstance(key, Key):
        raise ParameterTreeError(
            f'st["key"] is a portanet.random.Key: got a {type(key).__name__}: make one with '
            "pn.random.key(seed)"
        )
    return key
