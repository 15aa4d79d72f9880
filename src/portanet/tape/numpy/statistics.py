"""Averages, covariances and correlations."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from portanet.errors import ArgumentError, ShapeError
from portanet.tape.box import Box, strip
from portanet.tape.numpy.operands import NOT_GIVEN, array, axes, floating, one_axis
from portanet.tape.numpy.shapes import diagonal


def average(
    xp: Any, a: Any, axis: Any = None, weights: Any = None, returned: bool = False, *,
    keepdims: Any = NOT_GIVEN,
) -> Any:  # fmt: skip
    a, axis = array(xp, a), axes(axis)
    options = {"axis": axis, "keepdims": keepdims is not NOT_GIVEN and bool(keepdims)}
    if weights is None:
        a = floating(xp, a)
        mean = xp.mean(a, **options)
        count = a.size / mean.size
        return (mean, xp.full_like(mean, count)) if returned else mean
    weights = _weights(xp, a, axis, array(xp, weights))
    common = np.result_type(a.dtype, weights.dtype)
    if a.dtype.kind in "biu" or weights.dtype.kind in "biu":
        common = np.result_type(common, np.float64)
    a, weights = xp.astype(a, common), xp.astype(weights, common)
    scale = xp.sum(weights, **options)
    if not isinstance(strip(scale), Box) and np.any(strip(scale) == 0):
        raise ZeroDivisionError("Weights sum to zero, can't be normalized")
    mean = xp.sum(a * weights, **options) / scale
    return (mean, xp.broadcast_to(scale, mean.shape)) if returned else mean


def _weights(xp: Any, a: Any, axis: Any, weights: Any) -> Any:
    """Give weights along some axes the shape of all."""
    if weights.shape == a.shape:
        return weights
    along = axis if isinstance(axis, tuple) else (axis,)
    if axis is None:
        raise ArgumentError(
            f"average: weights of another shape than a need an axis: {weights.shape}, {a.shape}"
        )
    if weights.shape != tuple(a.shape[i] for i in along):
        raise ShapeError(
            f"average: weights.shape is that of a, or of a along axis: a.shape = {a.shape}, "
            f"axis = {axis}, weights.shape = {weights.shape}"
        )
    places = [one_axis("average", i, a.ndim) for i in along]
    weights = xp.permute_dims(weights, tuple(np.argsort(places).tolist()))
    shape = tuple(n if i in places else 1 for i, n in enumerate(a.shape))
    return xp.broadcast_to(xp.reshape(weights, shape), a.shape)


def cov(
    xp: Any, m: Any, y: Any = None, rowvar: bool = True, bias: bool = False, ddof: Any = None,
    fweights: Any = None, aweights: Any = None, *, dtype: Any = None,
) -> Any:  # fmt: skip
    if ddof is None:
        ddof = 0 if bias else 1
    parts = [array(xp, x) for x in (m, y) if x is not None]
    if dtype is None:
        dtype = np.result_type(np.float64, *(x.dtype for x in parts))
    turned = [not rowvar and x.ndim != 1 for x in parts[:1]]
    turned += [not rowvar and x.ndim > 1 and x.shape[0] != 1 for x in parts[1:]]
    parts = [_variables(xp, x, turn, dtype) for x, turn in zip(parts, turned, strict=True)]
    x = xp.concat(parts, axis=0) if len(parts) > 1 else parts[0]
    weights = None
    for given in (fweights, aweights):
        if given is not None:
            given = array(xp, given)
            weights = given if weights is None else weights * given
    if weights is None:
        freedom = x.shape[1] - ddof
        centered = x - xp.mean(x, axis=1, keepdims=True)
        right = centered
        scale = 1 / freedom if freedom > 0 else np.inf
    else:
        weights = xp.astype(weights, x.dtype)
        total = xp.sum(weights)
        centered = x - (xp.sum(x * weights, axis=1) / total)[:, None]
        right = centered * weights
        scale = 1 / (total - _taken(xp, weights, aweights, total, ddof))
    c = xp.matmul(centered, xp.conj(right).mT) * scale
    return xp.squeeze(c, axis=tuple(i for i, n in enumerate(c.shape) if n == 1))


def _taken(xp: Any, weights: Any, aweights: Any, total: Any, ddof: Any) -> Any:
    """How much weight the mean takes away."""
    if aweights is None or ddof == 0:
        return ddof
    return ddof * xp.sum(weights * array(xp, aweights)) / total


def _variables(xp: Any, x: Any, turn: bool, dtype: Any) -> Any:
    """Return a matrix with a row for each variable."""
    if x.ndim > 2:
        raise ShapeError(f"cov: m.ndim <= 2 does not hold: {x.ndim}")
    x = xp.astype(x, np.dtype(dtype))
    if x.ndim < 2:
        x = xp.reshape(x, (1, -1))
    return x.mT if turn else x


def corrcoef(xp: Any, x: Any, y: Any = None, rowvar: bool = True, *, dtype: Any = None) -> Any:
    c = cov(xp, x, y, rowvar, dtype=dtype)
    if c.ndim == 0:
        return c / c
    deviation = xp.sqrt(xp.real(diagonal(xp, c)))
    c = c / deviation[:, None] / deviation[None, :]
    if c.dtype.kind != "c":
        return xp.clip(c, -1.0, 1.0)
    return xp.clip(xp.real(c), -1.0, 1.0) + 1j * xp.clip(xp.imag(c), -1.0, 1.0)


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "average": average,
    "corrcoef": corrcoef,
    "cov": cov,
}
