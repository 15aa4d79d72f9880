"""Normalising rows by torch's own function, with derivatives of every order.

Torch differentiates its derivative with the mean and the variance as they were: a third derivative
of `layer_norm` is wrong without a sign. So where a derivative is differentiated again, it is taken
of the generic body.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, cast

import torch

from portanet.backends.torch.modes import shown

Tensor = torch.Tensor


def layer_normalized(
    generic: Callable[..., Tensor],
    x: Tensor,
    scale: Tensor | None,
    bias: Tensor | None,
    shape: Sequence[int],
    epsilon: float,
) -> Tensor:
    """Return the layer norm of `x` over its last axes, of the sizes `shape`.

    `generic` computes the same of `x`, `scale` and `bias`, by operations that torch differentiates
    as often as it is asked to.
    """
    x, scale, bias = cast("tuple[Tensor, Any, Any]", shown(x, scale, bias))
    given = any(p is not None and p.requires_grad for p in (x, scale, bias))
    if torch.compiler.is_compiling() or not (given and torch.is_grad_enabled()):
        return torch.nn.functional.layer_norm(x, shape, scale, bias, epsilon)
    return _LayerNorm.apply(x, scale, bias, generic, list(shape), epsilon)


class _LayerNorm(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, x: Tensor, scale: Any, bias: Any, generic: Any, shape: Any, epsilon: float
    ) -> Tensor:
        y, mean, rate = torch.native_layer_norm(x, shape, scale, bias, epsilon)
        ctx.save_for_backward(x, scale, bias, mean, rate)
        ctx.generic, ctx.shape = generic, shape
        return y

    @staticmethod
    def backward(ctx: Any, *directions: Tensor) -> tuple[Tensor | None, ...]:
        (d,), (x, scale, bias, mean, rate) = directions, ctx.saved_tensors
        needed = ctx.needs_input_grad[:3]
        if not torch.is_grad_enabled():
            function = torch.ops.aten.native_layer_norm_backward
            slopes = function(d, x, ctx.shape, mean, rate, scale, bias, list(needed))
            return *slopes, None, None, None
        asked = [p for p, wanted in zip((x, scale, bias), needed, strict=True) if wanted]
        found = iter(torch.autograd.grad(ctx.generic(x, scale, bias), asked, d, create_graph=True))
        return *(next(found) if wanted else None for wanted in needed), None, None, None
