"""Functions of the standard that torch, or its compatibility layer, cannot differentiate rightly.

Each stands in for one that gives a silent zero, a wrong derivative or an error about torch's
internals. Everything else is array_api_compat's.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import array_api_compat.torch as compat
import torch
from array_api_compat.torch import linalg

from portanet.errors import ShapeError

Tensor = torch.Tensor
_linspace: Any = compat.linspace  # it is typed for numbers
_norm: Any = linalg.vector_norm
_FEW = 256  # terms whose sum one by one is as good


def sign(x: Tensor, /) -> Tensor:
    """Compat's writes into its own result for complex numbers, which breaks the reverse mode."""
    return torch.sgn(x) if x.dtype.is_complex else torch.sign(x)


def pow(x1: Any, x2: Any, /) -> Tensor:
    """Torch's forward mode is wrong where one of the two is complex and the other is not."""
    if isinstance(x1, Tensor) and isinstance(x2, Tensor):
        x1, x2 = _same_kind(x1, x2)
    elif isinstance(x2, Tensor) and x2.dtype.is_complex:
        x1 = torch.asarray(x1, dtype=x2.dtype, device=x2.device)
    return compat.pow(x1, x2)


def _same_kind(x1: Tensor, x2: Tensor) -> tuple[Tensor, Tensor]:
    if x1.dtype.is_complex == x2.dtype.is_complex:
        return x1, x2
    dtype = torch.promote_types(x1.dtype, x2.dtype)
    return x1.to(dtype), x2.to(dtype)


def remainder(x1: Any, x2: Any, /) -> Tensor:
    """Torch has no derivative where the dividend is a number."""
    if not isinstance(x1, Tensor):
        x1 = torch.asarray(x1, dtype=x2.dtype, device=x2.device)
    return compat.remainder(x1, x2)


def floor_divide(x1: Any, x2: Any, /) -> Tensor:
    """Torch has no derivative; it is zero."""
    return compat.floor_divide(*(x.detach() if isinstance(x, Tensor) else x for x in (x1, x2)))


def _tensors(x1: Any, x2: Any) -> tuple[Tensor, Tensor]:
    like = x1 if isinstance(x1, Tensor) else x2
    if not isinstance(x1, Tensor):
        x1 = torch.asarray(x1, dtype=like.dtype, device=like.device)
    if not isinstance(x2, Tensor):
        x2 = torch.asarray(x2, dtype=like.dtype, device=like.device)
    return x1, x2


def hypot(x1: Any, x2: Any, /) -> Tensor:
    """Torch's derivative is NaN at the origin."""
    x1, x2 = _tensors(x1, x2)
    origin = (x1 == 0) & (x2 == 0)
    return torch.where(origin, 0.0, compat.hypot(torch.where(origin, 1.0, x1), x2))


def atan2(x1: Any, x2: Any, /) -> Tensor:
    """Torch's derivative is NaN at the origin."""
    x1, x2 = _tensors(x1, x2)
    origin = (x1 == 0) & (x2 == 0)
    angle = compat.atan2(torch.where(origin, 1.0, x1), x2)
    return torch.where(origin, torch.atan2(x1.detach(), x2.detach()), angle)


def logaddexp(x1: Any, x2: Any, /) -> Tensor:
    """Torch's derivative is NaN where both are the same infinity."""
    x1, x2 = _tensors(x1, x2)
    stuck = (x1 == x2) & torch.isinf(x1)
    finite = compat.logaddexp(torch.where(stuck, 0.0, x1), torch.where(stuck, 0.0, x2))
    return torch.where(stuck, (x1 + x2) / 2, finite)


def full(shape: Any, fill_value: Any, *, dtype: Any = None, device: Any = None) -> Tensor:
    """Torch takes numbers only."""
    if not isinstance(fill_value, Tensor):
        return compat.full(shape, fill_value, dtype=dtype, device=device)
    return fill_value.to(device or fill_value.device, dtype or fill_value.dtype).expand(
        (shape,) if isinstance(shape, int) else tuple(shape)
    )


def linspace(
    start: Any, stop: Any, /, num: int, *, dtype: Any = None, device: Any = None,
    endpoint: bool = True,
) -> Tensor:  # fmt: skip
    """Torch drops the derivatives of its ends without a word."""
    like: Any = start if isinstance(start, Tensor) else stop
    if not isinstance(like, Tensor):
        return _linspace(start, stop, num, dtype=dtype, device=device, endpoint=endpoint)
    real = like.real.dtype if like.dtype.is_complex else like.dtype
    steps = _linspace(0.0, 1.0, num, dtype=real, device=like.device, endpoint=endpoint)
    points = start * (1 - steps) + stop * steps
    return points.to(device or like.device, dtype or points.dtype)


def moveaxis(x: Tensor, source: Any, destination: Any, /) -> Tensor:
    """Torch's vmap has no rule for it."""
    sources, goals = (
        [axes] if isinstance(axes, int) else list(axes) for axes in (source, destination)
    )
    if not all(-x.ndim <= axis < x.ndim for axis in (*sources, *goals)):
        return torch.moveaxis(x, source, destination)  # it raises
    sources, goals = ([axis % x.ndim for axis in axes] for axes in (sources, goals))
    order = [axis for axis in range(x.ndim) if axis not in sources]
    for goal, axis in sorted(zip(goals, sources, strict=True)):
        order.insert(goal, axis)
    return x.permute(order)


def unstack(x: Tensor, /, *, axis: int = 0) -> tuple[Tensor, ...]:
    """Compat's calls ``moveaxis``."""
    return torch.unbind(x, axis)


def vecdot(x1: Tensor, x2: Tensor, /, *, axis: int = -1) -> Tensor:
    """Compat's calls ``moveaxis``."""
    if x1.shape[axis] != x2.shape[axis]:
        raise ShapeError(
            f"vecdot: x1.shape[{axis}] == x2.shape[{axis}]: {x1.shape[axis]} != {x2.shape[axis]}"
        )
    return torch.sum(torch.conj(x1) * x2, dim=axis)


def vector_norm(x: Tensor, /, *, axis: Any = None, keepdims: bool = False, ord: Any = 2) -> Tensor:
    """Torch's adds squares up one by one on processors; its sum adds pairwise, and is faster."""
    single = x.dtype == torch.float32 and x.device.type == "cpu"
    if not single or ord != 2 or x.numel() <= _FEW:
        return _norm(x, axis=axis, keepdims=keepdims, ord=ord)
    total = compat.sum(x * x, axis=axis, keepdims=keepdims)
    zero = total == 0
    return torch.where(zero, 0.0, torch.sqrt(torch.where(zero, 1.0, total)))


def solve_triangular(
    a: Tensor, b: Tensor, /, *, lower: bool = False, unit_diagonal: bool = False
) -> Tensor:
    """Solve with torch's own function, which has other names for its options."""
    columns = b[:, None] if b.ndim == 1 else b
    x = torch.linalg.solve_triangular(a, columns, upper=not lower, unitriangular=unit_diagonal)
    return x[..., 0] if b.ndim == 1 else x


_FUNCTIONS = (
    atan2, floor_divide, full, hypot, linspace, logaddexp, moveaxis, pow, remainder, sign, unstack,
    vecdot,
)  # fmt: skip
LINEAR_ALGEBRA: dict[str, Callable[..., Any]] = {
    "solve_triangular": solve_triangular,
    "vector_norm": vector_norm,
}
REPLACEMENTS: dict[str, Callable[..., Any]] = {f.__name__: f for f in _FUNCTIONS}
