"""Which parameters do better as one vector between the steps of a training."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import torch

from portanet.backends.torch.modes import transformed

_C: Any = torch._C

_MOST = 2**17
"""Numbers up to which the calls that a vector saves cost more than a copy of the gradients."""


def joins(parameters: Sequence[Any], others: Sequence[Any]) -> bool:
    """See `Backend.joins`."""
    if transformed() or torch.is_inference_mode_enabled():
        return False
    if _C._len_torch_function_stack() or _C._len_torch_dispatch_stack():
        return False
    device, count = None, 0
    for x in parameters:
        if not _is_plain(x, device):
            return False
        device = x.device
        count += x.numel()
    return count <= _MOST and all(_is_plain(x, device) for x in others)


def _is_plain(x: Any, device: Any) -> bool:
    """Whether a tensor is numbers in the order of their memory, on a device, and nothing else."""
    if type(x) is not torch.Tensor or x.requires_grad or x.layout is not torch.strided:
        return False
    return x.is_contiguous() and (device is None or x.device == device)


def join(tensors: Sequence[Any]) -> torch.Tensor:
    """See `Backend.join`."""
    return _C._nn.flatten_dense_tensors(tensors)


def cut(vector: torch.Tensor, shapes: Sequence[tuple[int, ...]]) -> Sequence[torch.Tensor] | None:
    """See `Backend.cut`; None where torch has no function for it, which is of no numbers."""
    models = _models(tuple(shapes))
    return None if models is None else _C._nn.unflatten_dense_tensors(vector, models)


@functools.lru_cache(64)
def _models(shapes: tuple[tuple[int, ...], ...]) -> list[torch.Tensor] | None:
    """Return tensors of these shapes, whose numbers nobody asks for."""
    if any(0 in shape for shape in shapes):
        return None
    with torch.inference_mode(False):
        return [torch.empty((), device="cpu").expand(shape) for shape in shapes]
