"""Torch's own bodies for functions of `portanet.functional` and the optimizers.

Each is the same function as the generic body, with the same derivative at every kink.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch.nn import functional

from portanet import checks
from portanet.backends.torch import convolution, indexing, normalization
from portanet.backends.torch.attention import attention
from portanet.backends.torch.modes import in_forward_mode, transformed
from portanet.backends.torch.recurrent import gru, lstm
from portanet.functional.kernel import GENERIC

Tensor = torch.Tensor
_C: Any = torch._C

_LONG = 256  # terms, of which the sum one by one loses digits
_many: Any = torch  # the operations on lists, which torch.optim uses, are not in torch's types


def gelu(x: Tensor) -> Tensor:
    return functional.gelu(x, approximate="tanh")


def _of_reals(function: Callable[[Tensor], Tensor]) -> Callable[[Tensor], Tensor]:
    """Return a function that refuses integers, of which torch makes its default dtype."""

    def computed(x: Tensor) -> Tensor:
        if not x.is_floating_point():
            checks.real_floating("x", x)
        return function(x)

    computed.__name__ = function.__name__
    return computed


def hard_sigmoid(x: Tensor) -> Tensor:
    """Torch's own multiplies by a sixth of single precision, and has no second derivative."""
    return functional.relu6(x + 3.0) / 6.0


def softplus(x: Tensor) -> Tensor:
    """Torch returns `x` itself above a threshold: at 40 that is exact in float64 too."""
    return functional.softplus(x, threshold=40.0)


def threshold_relu(x: Tensor, threshold: float = 1.0) -> Tensor:
    return functional.threshold(x, threshold, 0.0)


def soft_shrink(x: Tensor, threshold: float = 0.5) -> Tensor:
    return functional.softshrink(x, threshold)


def softmax(x: Tensor, axis: int = -1) -> Tensor:
    if _is_long_column(x, axis):
        return torch.softmax(_as_rows(x, axis), -1).movedim(-1, axis)
    return torch.softmax(x, axis)


def log_softmax(x: Tensor, axis: int = -1) -> Tensor:
    if _is_long_column(x, axis):
        return torch.log_softmax(_as_rows(x, axis), -1).movedim(-1, axis)
    return torch.log_softmax(x, axis)


def _is_long_column(x: Tensor, axis: int) -> bool:
    """Whether torch would add so many numbers up one by one, as it does on processors."""
    leading = axis not in (-1, x.ndim - 1) and x.ndim > 0
    return leading and x.shape[axis] > _LONG and x.device.type == "cpu"


def _as_rows(x: Tensor, axis: int) -> Tensor:
    return x.movedim(axis, -1).contiguous()


def _outside_of_forward_mode(name: str, own: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """Return a body that is the generic one in forward mode, which torch's own has not, or wrong.

    Of `mse_loss` torch writes into the zero that stands for a tangent of none.
    """

    def body(*args: Any, **options: Any) -> Tensor:
        return (GENERIC[name] if in_forward_mode() else own)(*args, **options)

    body.__name__ = name
    return body


def _mean_squared_error(prediction: Tensor, target: Tensor) -> Tensor:
    """Without the broadcasting of ``functional.mse_loss``: the shapes are equal."""
    return _C._nn.mse_loss(prediction, target, 1)


def _huber(prediction: Tensor, target: Tensor, delta: float) -> Tensor:
    return functional.huber_loss(prediction, target, "none", delta)


def _smooth_l1(prediction: Tensor, target: Tensor, beta: float) -> Tensor:
    return functional.smooth_l1_loss(prediction, target, reduction="none", beta=beta)


def _logistic(prediction: Tensor, target: Tensor) -> Tensor:
    return functional.binary_cross_entropy_with_logits(prediction, target, reduction="none")


_REVERSE = {
    "huber": _huber,
    "logistic": _logistic,
    "mean_squared_error": _mean_squared_error,
    "smooth_l1": _smooth_l1,
}


def contract(*operands: Tensor, plan: Any) -> Tensor:
    return torch.einsum(plan.subscripts, *operands)


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


def adam_update_all(
    gs: Sequence[Tensor],
    means: Sequence[Tensor],
    squares: Sequence[Tensor],
    beta1: float,
    beta2: float,
    lr: float,
    epsilon: float,
) -> tuple[Sequence[Tensor], Sequence[Tensor], Sequence[Tensor]]:
    """Compute `adam_update` of many tensors, as ``torch.optim`` does: one call an operation."""
    scalars = beta1, beta2, lr, epsilon
    if transformed() or any(g.requires_grad for g in gs):
        rows = [adam_update(*row, *scalars) for row in zip(gs, means, squares, strict=True)]
        means, squares, steps = zip(*rows, strict=True)
        return means, squares, steps
    means = _many._foreach_lerp(means, gs, 1.0 - beta1)
    squares = _many._foreach_mul(squares, beta2)
    _many._foreach_addcmul_(squares, gs, gs, 1.0 - beta2)
    steps = _many._foreach_sqrt(squares)
    _many._foreach_add_(steps, epsilon)
    steps = _many._foreach_div(means, steps)
    _many._foreach_mul_(steps, lr)
    return means, squares, steps


KERNELS: dict[str, Callable[..., Any]] = {
    **convolution.KERNELS,
    **normalization.KERNELS,
    **indexing.KERNELS,
    **{name: _outside_of_forward_mode(name, own) for name, own in _REVERSE.items()},
    "adam_update": adam_update,
    "adam_update_all": adam_update_all,
    "attention": attention,
    "celu": functional.celu,
    "contract": contract,
    "detach": torch.Tensor.detach,
    "elu": functional.elu,
    "erf": _of_reals(torch.erf),
    "erfc": _of_reals(torch.erfc),
    "gelu": gelu,
    "gelu_erf": functional.gelu,
    "gru": gru,
    "hard_sigmoid": hard_sigmoid,
    "hard_tanh": functional.hardtanh,
    "leaky_relu": functional.leaky_relu,
    "linear": functional.linear,
    "log_sigmoid": functional.logsigmoid,
    "log_softmax": log_softmax,
    "lstm": lstm,
    "relu": torch.relu,
    "relu6": functional.relu6,
    "rows_at": functional.embedding,
    "selu": torch.selu,
    "sigmoid": torch.sigmoid,
    "silu": functional.silu,
    "soft_shrink": soft_shrink,
    "softmax": softmax,
    "softplus": softplus,
    "threshold_relu": threshold_relu,
}
