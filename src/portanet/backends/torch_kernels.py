"""Torch's own bodies for functions of `portanet.functional` and the optimizers.

Each is the same function as the generic body, with the same derivative at every kink.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch.nn import functional

Tensor = torch.Tensor


def gelu(x: Tensor) -> Tensor:
    return functional.gelu(x, approximate="tanh")


def softplus(x: Tensor) -> Tensor:
    """Torch returns `x` itself above a threshold: at 40 that is exact in float64 too."""
    return functional.softplus(x, threshold=40.0)


def threshold_relu(x: Tensor, threshold: float = 1.0) -> Tensor:
    return functional.threshold(x, threshold, 0.0)


def soft_shrink(x: Tensor, threshold: float = 0.5) -> Tensor:
    return functional.softshrink(x, threshold)


def softmax(x: Tensor, axis: int = -1) -> Tensor:
    return torch.softmax(x, axis)


def log_softmax(x: Tensor, axis: int = -1) -> Tensor:
    return torch.log_softmax(x, axis)


def mean_square(x: Tensor) -> Tensor:
    return x.square().mean()


def layer_norm(
    x: Tensor,
    scale: Tensor | None = None,
    bias: Tensor | None = None,
    *,
    rank: int = 1,
    epsilon: float = 1e-5,
) -> Tensor:
    return functional.layer_norm(x, x.shape[x.ndim - rank :], scale, bias, epsilon)


def adam_update(
    g: Tensor,
    mean: Tensor,
    square: Tensor,
    beta1: float,
    beta2: float,
    lr: float,
    epsilon: float,
) -> tuple[Tensor, Tensor, Tensor]:
    mean = torch.lerp(mean, g, 1.0 - beta1)
    square = torch.addcmul(square * beta2, g, g, value=1.0 - beta2)
    return mean, square, mean / (square.sqrt() + epsilon) * lr


KERNELS: dict[str, Callable[..., Any]] = {
    "adam_update": adam_update,
    "celu": functional.celu,
    "elu": functional.elu,
    "embedding": functional.embedding,
    "erf": torch.erf,
    "erfc": torch.erfc,
    "gelu": gelu,
    "gelu_erf": functional.gelu,
    "hard_tanh": functional.hardtanh,
    "layer_norm": layer_norm,
    "leaky_relu": functional.leaky_relu,
    "linear": functional.linear,
    "log_sigmoid": functional.logsigmoid,
    "log_softmax": log_softmax,
    "mean_square": mean_square,
    "mish": functional.mish,
    "relu": torch.relu,
    "relu6": functional.relu6,
    "selu": torch.selu,
    "sigmoid": torch.sigmoid,
    "silu": functional.silu,
    "soft_shrink": soft_shrink,
    "softmax": softmax,
    "softplus": softplus,
    "stop_gradient": torch.Tensor.detach,
    "threshold_relu": threshold_relu,
}
