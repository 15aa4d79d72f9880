"""Normalising each sample over its own features."""

from __future__ import annotations

from typing import Any

from portanet import checks
from portanet.functional.half import in_float32
from portanet.functional.kernel import kernel
from portanet.interface import array_namespace
from portanet.tape.ops.batching import behind, of_first
from portanet.tape.rule import Explicit

Axes = tuple[int, ...]


def _centred(xp: Any, x: Any, axes: Axes) -> Any:
    return x - xp.mean(x, axis=axes, keepdims=True)


def _inverse_size(xp: Any, x: Any, axes: Axes, epsilon: float) -> Any:
    return 1.0 / xp.sqrt(xp.mean(xp.square(x), axis=axes, keepdims=True) + epsilon)


# Both functions below have a symmetric Jacobian, so one formula serves both modes. It computes
# the size of `x` again: a recording finds it repeated and keeps the one of the function.


@kernel
def standardize_scale(d: Any, y: Any, x: Any, axes: Axes, epsilon: float) -> Any:
    """Return the derivative of `standardize` at `x`, whose result is `y`, along `d`."""
    xp = array_namespace(d, y, x)
    along = xp.mean(d * y, axis=axes, keepdims=True)
    d = d - xp.mean(d, axis=axes, keepdims=True) - y * along
    return d * _inverse_size(xp, _centred(xp, x, axes), axes, epsilon)


def _standardize_rule(xp: Any, d: Any, y: Any, x: Any, axes: Axes, epsilon: float) -> Any:
    return standardize_scale(d, y, x, axes, epsilon)


@of_first
def _batch(primitive: Any, x: Any, rank: int, axes: Axes, epsilon: float) -> Any:
    return primitive(x, behind(primitive.name, axes, rank), epsilon)


@kernel(rule=Explicit(_standardize_rule, _standardize_rule, arity=None), batching=_batch)
def standardize(x: Any, axes: Axes, epsilon: float) -> Any:
    """Subtract the mean over `axes` and divide by the root of the variance plus `epsilon`."""
    xp = array_namespace(x)
    centred = _centred(xp, x, axes)
    return centred * _inverse_size(xp, centred, axes, epsilon)


@kernel
def to_unit_size_scale(d: Any, y: Any, x: Any, axes: Axes, epsilon: float) -> Any:
    """Return the derivative of `to_unit_size` at `x`, whose result is `y`, along `d`."""
    xp = array_namespace(d, y, x)
    along = xp.mean(d * y, axis=axes, keepdims=True)
    return (d - y * along) * _inverse_size(xp, x, axes, epsilon)


def _to_unit_size_rule(xp: Any, d: Any, y: Any, x: Any, axes: Axes, epsilon: float) -> Any:
    return to_unit_size_scale(d, y, x, axes, epsilon)


@kernel(rule=Explicit(_to_unit_size_rule, _to_unit_size_rule, arity=None), batching=_batch)
def to_unit_size(x: Any, axes: Axes, epsilon: float) -> Any:
    """Divide by the root of the mean square over `axes` plus `epsilon`."""
    return x * _inverse_size(array_namespace(x), x, axes, epsilon)


def affine(y: Any, scale: Any, bias: Any) -> Any:
    """Multiply by `scale` and add `bias`; either may be None."""
    xp = array_namespace(y)
    if scale is not None:
        y = xp.multiply(y, scale)
    return y if bias is None else xp.add(y, bias)


@in_float32
@kernel(takes=checks.real_floating)
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

    Raises
    ------
    DTypeError
        If `x` holds no real floating point numbers.

    Examples
    --------
    >>> import numpy as np
    >>> from portanet import functional
    >>> functional.layer_norm(np.asarray([[1.0, 3.0], [5.0, 5.0]]), epsilon=0.0001)
    array([[-0.99995,  0.99995],
           [ 0.     ,  0.     ]])
    """
    return affine(standardize(x, tuple(range(-rank, 0)), epsilon), scale, bias)


@in_float32
@kernel(takes=checks.real_floating)
def rms_norm(x: Any, scale: Any = None, *, rank: int = 1, epsilon: float = 1e-5) -> Any:
    """Divide each sample by the root of its mean square over its last axes.

    ``x / √(mean(x²) + epsilon) * scale``: layer normalisation without a mean [1]_.

    Parameters
    ----------
    x : array, shape ``(..., *shape)``
    scale : array, shape `shape`, optional
        Applied to the normalised values.
    rank : int
        How many of the last axes are normalised together.
    epsilon : float
        Added to the mean square.

    Returns
    -------
    array
        Of the shape of `x`.

    Raises
    ------
    DTypeError
        If `x` holds no real floating point numbers.

    References
    ----------
    .. [1] Zhang and Sennrich, "Root Mean Square Layer Normalization", NeurIPS 2019.

    Examples
    --------
    >>> import numpy as np
    >>> from portanet import functional
    >>> functional.rms_norm(np.asarray([[7.0, 1.0]]), epsilon=0.0)
    array([[1.4, 0.2]])
    """
    return affine(to_unit_size(x, tuple(range(-rank, 0)), epsilon), scale, None)


@in_float32
@kernel(takes=checks.real_floating)
def group_norm(
    x: Any, scale: Any = None, bias: Any = None, *, groups: int, epsilon: float = 1e-5
) -> Any:
    """Normalise each sample over its space and, together, groups of neighbouring channels.

    Parameters
    ----------
    x : array, shape (N, ..., channels)
        `groups` divides the channels.
    scale, bias : array, shape (channels,), optional
        Applied to the normalised channels.
    groups : int
        How many groups of ``channels / groups`` channels there are.
    epsilon : float
        Added to the variance.

    Returns
    -------
    array
        Of the shape of `x`.

    Raises
    ------
    DTypeError
        If `x` holds no real floating point numbers.

    References
    ----------
    .. [1] Wu and He, "Group Normalization", ECCV 2018.

    Examples
    --------
    >>> import numpy as np
    >>> from portanet import functional
    >>> functional.group_norm(np.asarray([[1.0, 3.0, 5.0, 9.0]]), groups=2, epsilon=0.0)
    array([[-1.,  1., -1.,  1.]])
    """
    xp = array_namespace(x)
    channels = x.shape[-1]
    split = xp.reshape(x, (*x.shape[:-1], groups, channels // groups))
    axes = (*range(1, x.ndim - 1), x.ndim)
    return affine(xp.reshape(standardize(split, axes, epsilon), x.shape), scale, bias)
