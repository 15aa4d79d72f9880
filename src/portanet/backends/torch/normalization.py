"""Torch's own normalisation, which sums up in float32 whatever the dtype.

Of 16 bits it is several times as fast as the operations of the generic bodies, which stay for
wider numbers and for derivatives that torch takes of transforms: they have every order and mode.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch.fx.experimental.proxy_tensor import get_proxy_mode
from torch.nn import functional

from portanet.backends.torch.modes import transformed
from portanet.functional.kernel import GENERIC

Tensor = torch.Tensor


def layer_norm(
    x: Tensor,
    scale: Tensor | None = None,
    bias: Tensor | None = None,
    *,
    rank: int = 1,
    epsilon: float = 1e-5,
) -> Tensor:
    if any(p is not None and p.dtype != x.dtype for p in (scale, bias)):
        return _generic("layer_norm", x, scale, bias, rank=rank, epsilon=epsilon)
    return functional.layer_norm(x, x.shape[x.ndim - rank :], scale, bias, epsilon)


def rms_norm(
    x: Tensor, scale: Tensor | None = None, *, rank: int = 1, epsilon: float = 1e-5
) -> Tensor:
    if not _takes(x, scale):
        return _generic("rms_norm", x, scale, rank=rank, epsilon=epsilon)
    return functional.rms_norm(x, x.shape[x.ndim - rank :], scale, epsilon)


def group_norm(
    x: Tensor,
    scale: Tensor | None = None,
    bias: Tensor | None = None,
    *,
    groups: int,
    epsilon: float = 1e-5,
) -> Tensor:
    if not _takes(x, scale, bias):
        return _generic("group_norm", x, scale, bias, groups=groups, epsilon=epsilon)
    return functional.group_norm(x.movedim(-1, 1), groups, scale, bias, epsilon).movedim(1, -1)


def batch_norm(
    x: Tensor,
    scale: Tensor | None = None,
    bias: Tensor | None = None,
    running_mean: Tensor | None = None,
    running_var: Tensor | None = None,
    *,
    training: bool = True,
    momentum: float = 0.1,
    epsilon: float = 1e-5,
) -> tuple[Tensor, Tensor | None, Tensor | None]:
    options = {"training": training, "momentum": momentum, "epsilon": epsilon}
    differentiated = running_mean is not None and running_mean.requires_grad
    if differentiated or not _takes(x):
        return GENERIC["batch_norm"](x, scale, bias, running_mean, running_var, **options)
    images = x.movedim(-1, 1)
    if running_mean is None or running_var is None:
        y = functional.batch_norm(images, None, None, scale, bias, True, momentum, epsilon)
        return y.movedim(1, -1), None, None
    # Torch takes parameters and statistics of one dtype, and writes into the statistics.
    mean, variance = (p.to(torch.float32, copy=True) for p in (running_mean, running_var))
    scale, bias = (None if p is None else p.to(torch.float32) for p in (scale, bias))
    y = functional.batch_norm(images, mean, variance, scale, bias, training, momentum, epsilon)
    if training:
        running_mean, running_var = mean.to(running_mean.dtype), variance.to(running_var.dtype)
    return y.movedim(1, -1), running_mean, running_var


def instance_norm(
    x: Tensor,
    scale: Tensor | None = None,
    bias: Tensor | None = None,
    running_mean: Tensor | None = None,
    running_var: Tensor | None = None,
    **options: Any,
) -> tuple[Tensor, Tensor | None, Tensor | None]:
    if running_mean is not None or not _takes(x, scale, bias):
        return GENERIC["instance_norm"](x, scale, bias, running_mean, running_var, **options)
    epsilon = options.get("epsilon", 1e-5)
    y = functional.instance_norm(x.movedim(-1, 1), None, None, scale, bias, eps=epsilon)
    return y.movedim(1, -1), None, None


def _takes(x: Tensor, *parameters: Tensor | None) -> bool:
    """Whether torch's own function is called: of 16 bits, outside of transforms and graphs.

    The parameters are of the dtype of `x`, as on GPUs torch asks for.
    """
    short = x.dtype in (torch.float16, torch.bfloat16)
    short = short and all(p is None or p.dtype == x.dtype for p in parameters)
    return short and x.numel() > 0 and not transformed() and get_proxy_mode() is None


def _generic(name: str, x: Tensor, *parameters: Tensor | None, **options: Any) -> Tensor:
    """Call a generic body in float32 or wider."""
    if x.dtype not in (torch.float16, torch.bfloat16):
        return GENERIC[name](x, *parameters, **options)
    wide = [None if p is None else p.to(torch.float32) for p in (x, *parameters)]
    return GENERIC[name](*wide, **options).to(x.dtype)


KERNELS: Mapping[str, Callable[..., Any]] = {
    "batch_norm": batch_norm,
    "group_norm": group_norm,
    "instance_norm": instance_norm,
    "layer_norm": layer_norm,
    "rms_norm": rms_norm,
}
