"""Normalising channels, the last axis, in few passes over the memory, backward too.

Torch's own functions are for channels in front. Where they lie behind, its batch normalisation adds
the rows of float32 one by one, so that of a million rows two digits are left. Here the sums are
pairwise. What belongs to channels is small: statistics of groups are spread to the channels first.
"""

from __future__ import annotations

from typing import Any

import torch

from portanet.backends.torch.modes import shown

Tensor = torch.Tensor


def normalized(
    x: Tensor,
    scale: Tensor | None,
    bias: Tensor | None,
    mean: Any = None,
    variance: Any = None,
    *,
    samples: bool,
    size: int = 1,
    epsilon: float,
) -> tuple[Tensor, Tensor, Tensor]:
    """Return ``(x - mean) * scale / sqrt(variance + epsilon) + bias``, the mean and the variance.

    Parameters
    ----------
    x : tensor, shape (N, ..., channels)
    scale, bias, mean, variance : tensor, shape (channels,), optional
        The statistics are those given, which nobody differentiates, or those of `x`.
    samples : bool
        Whether each sample has statistics of its own.
    size : int
        Of how many neighbouring channels together they are.
    epsilon : float
    """
    scale, bias = shown(scale, bias)
    rows = x.reshape(x.shape[0] if samples else 1, -1, x.shape[-1])
    args = rows, scale, bias, mean, variance, size, epsilon
    given = any(p is not None and p.requires_grad for p in (x, scale, bias))
    function: Any = _Normalized.apply if given and torch.is_grad_enabled() else _normalize
    y, mean, variance, *_ = function(*args)
    return y.reshape(x.shape), mean, variance


def _normalize(
    x: Tensor,
    scale: Tensor | None,
    bias: Tensor | None,
    mean: Tensor | None,
    variance: Tensor | None,
    size: int,
    epsilon: float,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Normalise the places, the second axis; return also one over the root of the variance."""
    if mean is None or variance is None:
        mean, centred, variance = _statistics(x, size)
    else:
        centred = x - mean
    rate = torch.rsqrt(variance + epsilon)
    factor = rate if scale is None else rate * scale
    y = centred.mul_(factor) if bias is None else torch.addcmul(bias, centred, factor, out=centred)
    return y, mean, variance, rate


def _statistics(x: Tensor, size: int) -> tuple[Tensor, Tensor, Tensor]:
    """Return the mean, what `x` is above it, and the variance."""
    mean = _spread(x.mean(1, keepdim=True), size)
    centred = x - mean
    return mean, centred, _spread((centred * centred).mean(1, keepdim=True), size)


def _spread(t: Tensor, size: int) -> Tensor:
    """Return the means over `size` neighbouring channels, for each of them."""
    if size == 1:
        return t
    groups = t.unflatten(-1, (-1, size))
    return groups.mean(-1, keepdim=True).expand_as(groups).flatten(-2)


class _Normalized(torch.autograd.Function):
    """`_normalize`, whose backward pass reads and writes as little."""

    @staticmethod
    def forward(ctx: Any, *args: Any) -> tuple[Tensor, Tensor, Tensor]:
        x, scale, _, given, _, ctx.size, ctx.epsilon = args
        y, mean, variance, rate = _normalize(*args)
        ctx.fixed = given is not None
        ctx.save_for_backward(x, scale, mean, rate)
        ctx.mark_non_differentiable(mean, variance)
        ctx.set_materialize_grads(False)
        return y, mean, variance

    @staticmethod
    def backward(ctx: Any, *directions: Tensor | None) -> tuple[Tensor | None, ...]:
        d, (x, scale, mean, rate) = directions[0], ctx.saved_tensors
        if d is None:
            return (None,) * 7
        again = torch.is_grad_enabled()  # somebody differentiates this, on the way of `x` too
        if again and not ctx.fixed:
            mean, centred, variance = _statistics(x, ctx.size)
            rate = torch.rsqrt(variance + ctx.epsilon)
        else:
            centred = x - mean
        products = d * centred
        total, along = d.sum(1, keepdim=True), products.sum(1, keepdim=True) * rate
        slopes = None if scale is None else along.sum((0, 1)), total.sum((0, 1))
        factor = rate if scale is None else rate * scale
        memory = None if again else products
        if ctx.fixed:
            own = torch.mul(d, factor, out=memory)
        else:
            # (g - mean(g) - y * mean(g * y)) * rate with g = d * scale and y = centred * rate
            sums = (total, along) if scale is None else (total * scale, along * scale)
            straight, turned = (_spread(t, ctx.size) for t in sums)
            share = rate / -x.shape[1]
            own = torch.addcmul(share * straight, d, factor, out=memory)
            own = torch.addcmul(own, centred, share * rate * turned, out=memory)
        needed = zip((own, *slopes), ctx.needs_input_grad, strict=False)
        return *(slope if asked else None for slope, asked in needed), None, None, None, None
