"""Normalised exponentials along an axis, computed relative to their maximum."""

from __future__ import annotations

import math
from typing import Any

from portanet.functional.half import in_float32
from portanet.functional.kernel import kernel
from portanet.interface import array_namespace
from portanet.tape.ops.batching import along_axis, over_axes
from portanet.tape.ops.form import by_rows
from portanet.tape.rule import Explicit


@kernel
def softmax_scale(d: Any, y: Any, axis: int) -> Any:
    """Return the derivative of a softmax with the values `y` along `d`, in either mode."""
    xp = array_namespace(d, y)
    return y * (d - xp.sum(d * y, axis=axis, keepdims=True))


def softmax_rule(xp: Any, d: Any, y: Any, x: Any, axis: int = -1) -> Any:
    """Return `softmax_scale` as a rule of the tape calls it."""
    return softmax_scale(d, y, axis)


@in_float32
@kernel(
    rule=Explicit(softmax_rule, softmax_rule, arity=None),
    batching=along_axis,
    numpy=by_rows,
    fresh=True,
)
def softmax(x: Any, axis: int = -1) -> Any:
    """Exponentials divided by their sum, ``exp(x) / sum(exp(x))``.

    Parameters
    ----------
    x : array
        Real floating point numbers with at least one axis.
    axis : int, default -1
        Axis over which the result sums to 1.

    Returns
    -------
    array
        Numbers from 0 to 1; the shape and dtype of `x`. Nothing overflows on the way.

    Examples
    --------
    >>> import numpy as np
    >>> import portanet as pn
    >>> print(pn.softmax(np.asarray([[1000.0, 1000.0], [0.0, np.log(3.0)]])))
    [[0.5  0.5 ]
     [0.25 0.75]]
    """
    xp = array_namespace(x)
    if not x.shape[axis]:
        return xp.zeros_like(x)
    e = xp.exp(x - xp.max(x, axis=axis, keepdims=True))
    return e / xp.sum(e, axis=axis, keepdims=True)


@kernel
def log_softmax_pull(g: Any, y: Any, axis: int) -> Any:
    """Return the cotangent of the argument of a `log_softmax` with the values `y`."""
    xp = array_namespace(g, y)
    return g - xp.exp(y) * xp.sum(g, axis=axis, keepdims=True)


@kernel
def log_softmax_push(d: Any, y: Any, axis: int) -> Any:
    """Return the tangent of a `log_softmax` with the values `y`."""
    xp = array_namespace(d, y)
    return d - xp.sum(xp.exp(y) * d, axis=axis, keepdims=True)


def _log_softmax_vjp(xp: Any, g: Any, y: Any, x: Any, axis: int = -1) -> Any:
    return log_softmax_pull(g, y, axis)


def _log_softmax_jvp(xp: Any, d: Any, y: Any, x: Any, axis: int = -1) -> Any:
    return log_softmax_push(d, y, axis)


@in_float32
@kernel(rule=Explicit(_log_softmax_vjp, _log_softmax_jvp, arity=None), batching=along_axis)
def log_softmax(x: Any, axis: int = -1) -> Any:
    """Logarithm of the softmax, ``x - log(sum(exp(x)))``.

    Parameters
    ----------
    x : array
        Real floating point numbers with at least one axis.
    axis : int, default -1
        Axis over which the exponentials of the result sum to 1.

    Returns
    -------
    array
        Numbers up to 0; the shape and dtype of `x`. Nothing overflows on the way, and the result
        stays accurate where the softmax is rounded to 0 or 1.

    Examples
    --------
    >>> import numpy as np
    >>> import portanet as pn
    >>> print(pn.log_softmax(np.asarray([0.0, 1000.0])))
    [-1000.     0.]
    """
    xp = array_namespace(x)
    if not x.shape[axis]:
        return xp.zeros_like(x)
    shifted = x - xp.max(x, axis=axis, keepdims=True)
    return shifted - xp.log(xp.sum(xp.exp(shifted), axis=axis, keepdims=True))


Axes = int | tuple[int, ...] | None


def _weights(xp: Any, y: Any, x: Any, axis: Axes, keepdims: bool) -> Any:
    """The softmax of `x`: zero where every entry, and so `y`, is minus infinity."""
    y = xp.where(y == -math.inf, 0.0, y)
    return xp.exp(x - (y if keepdims else _restored(xp, y, x, axis)))


def _restored(xp: Any, y: Any, x: Any, axis: Axes) -> Any:
    """Put the axes that a reduction of `x` removed back with size 1."""
    axes = range(x.ndim) if axis is None else (axis,) if isinstance(axis, int) else axis
    reduced = {a % x.ndim for a in axes}
    return xp.reshape(y, tuple(1 if a in reduced else n for a, n in enumerate(x.shape)))


def _logsumexp_vjp(
    xp: Any, g: Any, y: Any, x: Any, axis: Axes = None, keepdims: bool = False
) -> Any:
    g_wide = g if keepdims else _restored(xp, g, x, axis)
    return g_wide * _weights(xp, y, x, axis, keepdims)


def _logsumexp_jvp(
    xp: Any, d: Any, y: Any, x: Any, axis: Axes = None, keepdims: bool = False
) -> Any:
    return xp.sum(d * _weights(xp, y, x, axis, keepdims), axis=axis, keepdims=keepdims)


def _logsumexp_batch(
    trace: Any, primitive: Any, values: list[Any], batched: list[bool], kwargs: dict[str, Any]
) -> Any:
    names = ("axis", "keepdims")
    options = {**dict(zip(names, values[1:], strict=False)), **kwargs}
    return over_axes(trace, primitive, values[:1], batched[:1], options)


@in_float32
@kernel(rule=Explicit(_logsumexp_vjp, _logsumexp_jvp, arity=None), batching=_logsumexp_batch)
def logsumexp(x: Any, axis: Axes = None, keepdims: bool = False) -> Any:
    """Logarithm of a sum of exponentials, ``log(sum(exp(x)))``.

    Parameters
    ----------
    x : array
        Real floating point numbers.
    axis : int, tuple of int or None, default None
        Axes to reduce; None reduces all of them.
    keepdims : bool, default False
        Whether the reduced axes stay, with size 1.

    Returns
    -------
    array
        The dtype of `x`. Nothing overflows on the way. Minus infinity where every entry is.

    References
    ----------
    .. [1] P. Blanchard, D. J. Higham, N. J. Higham, "Accurately Computing the Log-Sum-Exp and
       Softmax Functions", IMA Journal of Numerical Analysis 41 (2021).

    Examples
    --------
    >>> import numpy as np
    >>> import portanet as pn
    >>> print(pn.logsumexp(np.asarray([[1000.0, 1000.0], [0.0, 0.0]]), axis=1))
    [1.00069315e+03 6.93147181e-01]
    """
    xp = array_namespace(x)
    top = xp.max(x, axis=axis, keepdims=True)
    top = xp.where(xp.isfinite(top), top, 0.0)
    total = xp.sum(xp.exp(x - top), axis=axis, keepdims=True)
    nothing = total == 0.0
    y = top + xp.where(nothing, -math.inf, xp.log(xp.where(nothing, 1.0, total)))
    if keepdims:
        return y
    return xp.squeeze(y, axis=tuple(range(x.ndim)) if axis is None else axis)
