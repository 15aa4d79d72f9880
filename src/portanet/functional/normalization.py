"""Normalising by a mean and a variance."""

from __future__ import annotations

import math
from typing import Any

from portanet.backends import array_namespace
from portanet.functional.gradient import stop_gradient
from portanet.functional.kernel import kernel


@kernel
def batch_norm(
    x: Any,
    scale: Any = None,
    bias: Any = None,
    running_mean: Any = None,
    running_var: Any = None,
    *,
    training: bool = True,
    momentum: float = 0.1,
    epsilon: float = 1e-5,
) -> tuple[Any, Any, Any]:
    """Normalise each channel, the last axis, over all other axes.

    In training, or without running statistics, with the mean and the biased variance of `x`;
    otherwise with the running ones.

    Parameters
    ----------
    x : array, shape (N, ..., channels)
    scale, bias : array, shape (channels,), optional
        Applied to the normalised channels.
    running_mean, running_var : array, shape (channels,), optional
        Both or neither.
    training : bool
    momentum : float
        How much of a running statistic one batch replaces.
    epsilon : float
        Added to the variance.

    Returns
    -------
    y : array
        Of the shape of `x`.
    running_mean, running_var : array or None
        In training ``(1 - momentum) * running + momentum * batch``, where the variance of the
        batch is the unbiased one; they carry no derivative. Otherwise the given ones.

    Examples
    --------
    >>> import numpy as np
    >>> from portanet import functional
    >>> y, _, _ = functional.batch_norm(np.asarray([[1.0], [3.0]]), epsilon=0.0)
    >>> y
    array([[-1.],
           [ 1.]])
    """
    xp = array_namespace(x, scale, running_mean)
    if running_mean is not None and not training:
        y = _affine(xp, xp.subtract(x, running_mean), running_var, scale, bias, epsilon)
        return y, running_mean, running_var
    axes = tuple(range(x.ndim - 1))
    mean = xp.mean(x, axis=axes)
    centred = x - mean
    variance = xp.mean(xp.square(centred), axis=axes)
    y = _affine(xp, centred, variance, scale, bias, epsilon)
    if running_mean is None:
        return y, None, None
    n = math.prod(x.shape[:-1])
    return (
        y,
        (1 - momentum) * running_mean + momentum * stop_gradient(mean),
        (1 - momentum) * running_var + momentum * n / (n - 1) * stop_gradient(variance),
    )


@kernel
def layer_norm(
    x: Any,
    scale: Any = None,
    bias: Any = None,
    *,
    rank: int = 1,
    epsilon: float = 1e-5,
) -> Any:
    """Normalise each sample over its last axes.

    Parameters
    ----------
    x : array, shape ``(..., *shape)``
    scale, bias : array, shape `shape`, optional
        Applied to the normalised values.
    rank : int
        How many of the last axes are normalised together.
    epsilon : float
        Added to the variance.

    Returns
    -------
    array
        Of the shape of `x`.

    Examples
    --------
    >>> import numpy as np
    >>> from portanet import functional
    >>> functional.layer_norm(np.asarray([[1.0, 3.0], [5.0, 5.0]]), epsilon=0.0001)
    array([[-0.99995,  0.99995],
           [ 0.     ,  0.     ]])
    """
    xp = array_namespace(x, scale)
    axes = tuple(range(-rank, 0))
    centred = x - xp.mean(x, axis=axes, keepdims=True)
    variance = xp.mean(xp.square(centred), axis=axes, keepdims=True)
    return _affine(xp, centred, variance, scale, bias, epsilon)


def _affine(xp: Any, centred: Any, variance: Any, scale: Any, bias: Any, epsilon: float) -> Any:
    deviation = xp.sqrt(variance + epsilon)
    y = centred / deviation if scale is None else xp.multiply(centred, xp.divide(scale, deviation))
    return y if bias is None else xp.add(y, bias)
