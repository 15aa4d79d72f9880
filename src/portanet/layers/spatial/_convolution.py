"""What a convolution and its transpose share."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from portanet import checks
from portanet.layers._weights import bias_of, symmetric
from portanet.layers.spatial import _windows


def check_options(layer: Any) -> None:
    """Check the fields of a convolution."""
    checks.sizes(layer, "window")
    checks.optional_integers(layer, "in_channels")
    checks.integers(layer, "out_channels", "groups")
    rank = len(layer.window)
    _windows.each_axis(layer, rank, "stride", "dilation")
    _windows.padding(layer, rank)
    for name in ("in_channels", "out_channels"):
        if (getattr(layer, name) or 0) % layer.groups:
            relation = f"{name} % groups == 0, where groups is {layer.groups}"
            checks.refuse(layer, relation, getattr(layer, name))
    checks.functions(layer, "activation")
    checks.flags(layer, "use_bias")
    checks.optional_functions(layer, "init_weight", "init_bias")


def fan_in(layer: Any) -> int:
    """Return how many entries of the input each weight of an output meets."""
    return math.prod(layer.window) * (layer.in_channels // layer.groups)


def parameters_of(
    layer: Any, rng: np.random.Generator, init_weight: Callable[..., np.ndarray]
) -> dict[str, Any]:
    """Draw the weight and the bias."""
    parameters = {"weight": init_weight(rng, layer._weight_shape)}
    if layer.use_bias:
        init_bias = layer.init_bias or symmetric(fan_in(layer))
        parameters["bias"] = init_bias(rng, (layer.out_channels,))
    return parameters


def checked(layer: Any, x: Any, ps: Any, relation: str) -> tuple[Any, Any]:
    """Return the weight and the bias, which fit the layer and the input."""
    weight = checks.member(ps, "weight", layer._weight_shape, relation)
    bias = bias_of(layer, ps, weight, (layer.out_channels,), "(out_channels,)")
    checks.images(x, len(layer.window))
    checks.last_axis("x", x, layer.in_channels, "in_channels")
    checks.same_kind("x", x, "weight", weight)
    return weight, bias
