"""Torch's fused attention, where its derivative is the one that is asked for.

It has a reverse derivative of first order and no other. Inside of a transform of ``torch.func``
and under forward mode the generic body runs; a gradient that is to be differentiated again is
taken of the generic body.
"""

from __future__ import annotations

from typing import Any

import torch
from torch._C._functorch import is_batchedtensor
from torch.nn import functional

from portanet.backends.torch.modes import shown, transformed
from portanet.functional.kernel import GENERIC

Tensor = torch.Tensor


def attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    mask: Tensor | None,
    *,
    causal: bool,
    scale: float | None,
) -> Tensor:
    """Compute `portanet.functional.sequences.attention.attention`."""
    if transformed():
        return _generic(query, key, value, mask, causal, scale)
    tensors = query, key, value, mask
    if torch.is_grad_enabled() and any(x is not None and x.requires_grad for x in tensors):
        return _Fused.apply(*shown(*tensors), causal, scale)
    return _fused(*tensors, causal, scale)


def _generic(q: Tensor, k: Tensor, v: Tensor, mask: Any, causal: bool, scale: Any) -> Tensor:
    return GENERIC["attention"](q, k, v, mask, causal=causal, scale=scale)


def _fused(q: Tensor, k: Tensor, v: Tensor, mask: Any, causal: bool, scale: Any) -> Tensor:
    # Torch aligns the first query with the first key.
    simple = causal and mask is None and q.shape[-3] == k.shape[-3]
    if causal and not simple:
        from portanet.functional.sequences.masks import bias_of

        mask = bias_of(q, k, mask, causal)
    y = functional.scaled_dot_product_attention(
        q.transpose(-3, -2),
        k.transpose(-3, -2),
        v.transpose(-3, -2),
        mask,
        is_causal=simple,
        scale=scale,
        enable_gqa=q.shape[-2] != k.shape[-2],
    )
    return y.transpose(-3, -2)


class _Fused(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, *args: Any) -> Tensor:
        inputs: Any = [
            x.detach().requires_grad_(needed) if isinstance(x, Tensor) else x
            for x, needed in zip(args, ctx.needs_input_grad, strict=True)
        ]
        with torch.enable_grad():
            ctx.inputs, ctx.output = inputs, _fused(*inputs)
        ctx.save_for_backward(*args[:4])
        ctx.options = args[4:]
        return ctx.output.detach()

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> Any:
        (g,) = gradients
        needed = [i for i, asked in enumerate(ctx.needs_input_grad) if asked]
        inputs: Any = ctx.inputs
        output, again = ctx.output, torch.is_grad_enabled()
        if again or is_batchedtensor(g):
            inputs = ctx.saved_tensors
            with torch.enable_grad():
                inputs = [x if x is None else x.view_as(x) for x in inputs]
                output = _generic(*inputs, *ctx.options)
        found = torch.autograd.grad(
            output, [inputs[i] for i in needed], g, retain_graph=True, create_graph=again
        )
        parts = dict(zip(needed, found, strict=True))
        return tuple(parts.get(i) for i in range(6))
