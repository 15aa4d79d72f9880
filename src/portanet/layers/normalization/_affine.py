"""The scale and the bias that the layers of normalisation share."""

from __future__ import annotations

from typing import Any

import numpy as np

from portanet import checks
from portanet.initializers import ones, zeros


def initial_affine(layer: Any, rng: np.random.Generator, shape: tuple[int, ...]) -> dict[str, Any]:
    """Draw the scale and the bias of a layer that is `affine`."""
    if not layer.affine:
        return {}
    return {
        "scale": (layer.init_scale or ones())(rng, shape),
        "bias": (layer.init_bias or zeros())(rng, shape),
    }


def affine_parameters(
    layer: Any, x: Any, ps: Any, shape: tuple[int, ...], relation: str
) -> tuple[Any, Any]:
    """Return the scale and the bias, checked, or None for both."""
    if not layer.affine:
        checks.floating("x", x)
        return None, None
    scale = checks.member(ps, "scale", shape, relation)
    bias = checks.member(ps, "bias", shape, relation)
    checks.same_or_wide("x", x, "scale", scale)
    checks.alike("ps", "bias", bias, "scale", scale)
    return scale, bias
