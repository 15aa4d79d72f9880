"""Normalisation on torch.

Of 16 bits by torch's own functions, which sum up in float32; of more by `normalized`. The generic
bodies stay for derivatives that torch takes of transforms: they have every order and mode.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import torch
from torch.fx.experimental.proxy_tensor import get_proxy_mode
from torch.nn import functional

from portanet.backends.torch.channels import normalized
from portanet.backends.torch.modes import transformed
from portanet.backends.torch.rows import layer_normalized
from portanet.functional.kernel import GENERIC
from portanet.functional.normalization.features import affine

Tensor = torch.Tensor

_WIDE = torch.float32, torch.float64
_SMALL = 2**15
"""Numbers of which torch's own function and two copies take less time than `normalized`."""


def layer_norm(
    x: Tensor,
    scale: Tensor | None = None,
    bias: Tensor | None = None,
    *,
    rank: int = 1,
    epsilon: float = 1e-5,
) -> Tensor:
    generic = partial(_generic, "layer_norm", rank=rank, epsilon=epsilon)
    if transformed() or any(p is not None and p.dtype != x.dtype for p in (scale, bias)):
        return generic(x, scale, bias)
    return layer_normalized(generic, x, scale, bias, x.shape[x.ndim - rank :], epsilon)


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
    size = x.shape[-1] // groups
    if x.ndim == 2 and x.dtype in _WIDE:  # each group is a row
        rows = layer_norm(x.unflatten(1, (groups, size)), epsilon=epsilon)
        return affine(rows.flatten(1), scale, bias)
    if _is_wide(x, scale, bias):
        if x.numel() <= _SMALL:
            return _in_front(x, groups, scale, bias, epsilon)
        return normalized(x, scale, bias, samples=True, size=size, epsilon=epsilon)[0]
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
    arrays = x, scale, bias, running_mean, running_var
    if _is_wide(*arrays):
        return _normalized(*arrays, samples=False, **options)
    differentiated = running_mean is not None and running_mean.requires_grad
    if differentiated or epsilon == 0 or not _takes(x):
        return GENERIC["batch_norm"](*arrays, **options)
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
    *,
    training: bool = True,
    momentum: float = 0.1,
    epsilon: float = 1e-5,
) -> tuple[Tensor, Tensor | None, Tensor | None]:
    options = {"training": training, "momentum": momentum, "epsilon": epsilon}
    arrays = x, scale, bias, running_mean, running_var
    if _is_wide(*arrays):
        if running_mean is None and x.numel() <= _SMALL:
            return _in_front(x, x.shape[-1], scale, bias, epsilon), None, None
        return _normalized(*arrays, samples=True, **options)
    if running_mean is not None or not _takes(x, scale, bias):
        return GENERIC["instance_norm"](*arrays, **options)
    y = functional.instance_norm(x.movedim(-1, 1), None, None, scale, bias, eps=epsilon)
    return y.movedim(1, -1), None, None


def _in_front(
    x: Tensor, groups: int, scale: Tensor | None, bias: Tensor | None, epsilon: float
) -> Tensor:
    """Normalise groups by torch's own function, in a copy that has the channels in front."""
    y = functional.group_norm(x.movedim(-1, 1).contiguous(), groups, scale, bias, epsilon)
    return y.movedim(1, -1)


def _normalized(
    x: Tensor,
    scale: Tensor | None,
    bias: Tensor | None,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    *,
    samples: bool,
    training: bool,
    momentum: float,
    epsilon: float,
) -> tuple[Tensor, Tensor | None, Tensor | None]:
    """Normalise the channels of all samples together, or of each, as the generic bodies do."""
    options: dict[str, Any] = {"samples": samples, "epsilon": epsilon}
    if running_mean is None or running_var is None:
        return normalized(x, scale, bias, **options)[0], None, None
    if not training:
        if x.numel() <= _SMALL and torch.is_grad_enabled():
            return GENERIC["batch_norm"](
                x, scale, bias, running_mean, running_var, training=False, epsilon=epsilon
            )
        y = normalized(x, scale, bias, running_mean, running_var, **options)[0]
        return y, running_mean, running_var
    y, mean, variance = normalized(x, scale, bias, **options)
    n = x.numel() // mean.numel()
    mean, variance = mean.mean((0, 1)), variance.mean((0, 1)) * (n / (n - 1))
    return y, running_mean.lerp(mean, momentum), running_var.lerp(variance, momentum)


def _is_wide(x: Tensor, *others: Tensor | None) -> bool:
    """Whether channels are normalised by `normalized`: of 32 bits or 64, outside of transforms.

    Parameters and statistics are of the dtype of `x`; what is differentiated of these is not.
    """
    if x.dtype not in _WIDE or transformed():
        return False
    alike = all(p is None or p.dtype == x.dtype for p in others)
    statistics = any(p is not None and p.requires_grad for p in others[2:])
    return alike and not statistics and x.numel() > 0 and get_proxy_mode() is None


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
