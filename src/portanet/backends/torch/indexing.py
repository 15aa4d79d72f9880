"""Torch's own bodies for `portanet.functional.indexing`."""

from __future__ import annotations

from typing import Any

import torch
from torch._C._functorch import is_functorch_wrapped_tensor
from torch.fx.experimental.proxy_tensor import get_proxy_mode

from portanet.backends.torch.modes import innermost
from portanet.functional.kernel import GENERIC
from portanet.tape.ops.index_keys import refuse_range

Tensor = torch.Tensor
_C: Any = torch._C


def checked_index(index: Tensor, size: int, names: tuple[str, str], wraps: bool) -> Tensor:
    """Look at the values where that is free: on the host, and not while torch records."""
    if index.device.type == "cpu" and index.numel():
        bare = innermost(index)
        try:
            low, high = int(bare.min()), int(bare.max())
        except RuntimeError:  # a tensor that is being recorded
            pass
        else:
            refuse_range(low, high, size, names, wraps)
    index = index.to(torch.int64)
    return torch.where(index < 0, index + size, index) if wraps else index


def of_labels(x: Tensor, labels: Tensor, classes: int, axis: int) -> Tensor:
    index = labels.clamp(0, classes - 1).unsqueeze(axis)
    shape = list(index.shape)
    shape[axis] = classes
    return x.expand(shape).gather(axis, index).squeeze(axis)


def of_classes(values: Tensor, labels: Tensor, classes: int) -> Tensor:
    """Return `values` themselves where `checked_index` has looked at the labels."""
    if labels.device.type == "cpu" and type(innermost(labels)) is Tensor and _runs():
        return values
    return GENERIC["of_classes"](values, labels, classes)


def _runs() -> bool:
    """Whether operations run now, with values: nobody records them, or stands in for them."""
    return get_proxy_mode() is None and not _C._len_torch_dispatch_stack()


def add_rows(x: Tensor, places: Tensor, count: int) -> Tensor:
    return x.new_zeros((count, *x.shape[1:])).index_add(0, places, x)


def segment_max(x: Tensor, places: Tensor, count: int) -> Tensor:
    lowest: Any = -torch.inf if x.dtype.is_floating_point else torch.iinfo(x.dtype).min
    places = places.reshape(-1, *(1,) * (x.ndim - 1)).expand(x.shape)
    y = x.new_full((count, *x.shape[1:]), lowest)
    return y.scatter_reduce(0, places, x, "amax", include_self=False)


def add_at(x: Tensor, y: Tensor, *, index: tuple[Any, ...]) -> Tensor:
    return replace_at(x, x[index] + y, index=index)


def replace_at(x: Tensor, y: Tensor, *, index: tuple[Any, ...]) -> Tensor:
    if is_functorch_wrapped_tensor(y):  # a batch can be written into a batch alone: make one of x
        x = torch.where(y.new_ones((), dtype=torch.bool), x, x)
    else:
        x = x.clone()
    x[index] = y
    return x


KERNELS = {
    function.__name__: function
    for function in (
        add_at,
        add_rows,
        checked_index,
        of_classes,
        of_labels,
        replace_at,
        segment_max,
    )
}
