"""Normalising channels by statistics that a layer may keep."""

from __future__ import annotations

import math
from typing import Any

from portanet import checks
from portanet.functional.gradient import stop_gradient
from portanet.functional.half import is_half, rounded, widened
from portanet.functional.kernel import kernel
from portanet.functional.normalization.features import affine
from portanet.interface import array_namespace


@kernel(takes=checks.real_floating)
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

    Raises
    ------
    DTypeError
        If `x` holds no real floating point numbers.

    Examples
    --------
    >>> import numpy as np
    >>> from portanet import functional
    >>> y, _, _ = functional.batch_norm(np.asarray([[1.0], [3.0]]), epsilon=0.0)
    >>> y
    array([[-1.],
           [ 1.]])
    """
    axes = tuple(range(x.ndim - 1))
    return _over(axes, x, scale, bias, running_mean, running_var, training, momentum, epsilon)


@kernel(takes=checks.real_floating)
def instance_norm(
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
    """Normalise each channel of each sample over its space.

    In training, or without running statistics, with the mean and the biased variance of the
    sample; otherwise with the running ones.

    Parameters
    ----------
    x : array, shape ``(N, *space, channels)``
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
        As for `batch_norm`, with the averages of the statistics of the samples.

    Raises
    ------
    DTypeError
        If `x` holds no real floating point numbers.

    References
    ----------
    .. [1] Ulyanov, Vedaldi and Lempitsky, "Instance Normalization: The Missing Ingredient for
       Fast Stylization", arXiv:1607.08022, 2016.

    Examples
    --------
    >>> import numpy as np
    >>> from portanet import functional
    >>> x = np.asarray([[[1.0], [3.0]], [[0.0], [8.0]]])
    >>> functional.instance_norm(x, epsilon=0.0)[0].tolist()
    [[[-1.0], [1.0]], [[-1.0], [1.0]]]
    """
    axes = tuple(range(1, x.ndim - 1))
    return _over(axes, x, scale, bias, running_mean, running_var, training, momentum, epsilon)


def _over(
    axes: tuple[int, ...],
    x: Any,
    scale: Any,
    bias: Any,
    running_mean: Any,
    running_var: Any,
    training: bool,
    momentum: float,
    epsilon: float,
) -> tuple[Any, Any, Any]:
    """Normalise over `axes`; running statistics average the others."""
    if is_half(x):
        arrays = [widened(array) for array in (x, scale, bias, running_mean, running_var)]
        y, mean, variance = _over(axes, *arrays, training, momentum, epsilon)  # pyright: ignore
        if running_mean is not None:
            mean, variance = rounded(mean, running_mean), rounded(variance, running_var)
        return rounded(y, x), mean, variance
    xp = array_namespace(x, scale, running_mean)
    if running_mean is not None and not training:
        factor = _over_root(xp, scale, running_var + epsilon)
        y = xp.multiply(xp.subtract(x, running_mean), factor)
        return affine(y, None, bias), running_mean, running_var
    wide = x.ndim > 2  # the sums of the columns of a matrix are found sooner without the axis
    mean = xp.mean(x, axis=axes, keepdims=wide)
    centred = x - mean
    variance = xp.mean(xp.square(centred), axis=axes, keepdims=wide)
    y = affine(xp.multiply(centred, _over_root(xp, scale, variance + epsilon)), None, bias)
    if running_mean is None:
        return y, None, None
    n = math.prod(x.shape[axis] for axis in axes)
    mean, variance = stop_gradient(mean), stop_gradient(variance)
    if wide:
        samples = tuple(range(x.ndim - 1))
        mean, variance = xp.mean(mean, axis=samples), xp.mean(variance, axis=samples)
    return (
        y,
        (1 - momentum) * running_mean + momentum * mean,
        (1 - momentum) * running_var + momentum * n / (n - 1) * variance,
    )


def _over_root(xp: Any, scale: Any, variance: Any) -> Any:
    """Return ``scale / √variance``; without a scale, of 1."""
    return xp.divide(1.0 if scale is None else scale, xp.sqrt(variance))
