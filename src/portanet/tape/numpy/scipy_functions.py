"""The functions of ``scipy.special`` that are written in Python, and no universal functions."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable
from typing import Any

import numpy as np

from portanet.errors import ArgumentError
from portanet.tape.box import strip
from portanet.tape.numpy.operands import array, axes, floating
from portanet.tape.numpy.special import sp
from portanet.tape.ops.batching import over_axes
from portanet.tape.ops.card import Card
from portanet.tape.ops.reductions import kept
from portanet.tape.rule import Explicit


def _shares(xp: Any, y: Any, x: Any, axis: Any, keepdims: bool) -> Any:
    """The derivatives of ``logsumexp``, 0 where nothing is summed."""
    y = kept(xp, y, x, axis, keepdims)
    return xp.exp(x - xp.where(xp.isinf(y), 0.0, y))


_LOGSUMEXP = Explicit(
    lambda xp, g, y, x, axis, keepdims: (
        kept(xp, g, x, axis, keepdims) * _shares(xp, y, x, axis, keepdims)
    ),
    lambda xp, t, y, x, axis, keepdims: xp.sum(
        t * _shares(xp, y, x, axis, keepdims), axis=axis, keepdims=keepdims
    ),
)


def _logsumexp_of(xp: Any, a: Any, axis: Any, keepdims: bool) -> Any:
    made = xp.__dict__.get("scipys_logsumexp")
    if made is None:
        own = importlib.import_module("scipy.special").logsumexp
        made = xp.primitive(
            Card("scipy.special.logsumexp", _LOGSUMEXP, over_axes, fresh=True),
            lambda x, *, axis, keepdims: own(x, axis=axis, keepdims=keepdims),
        )
        xp.__dict__["scipys_logsumexp"] = made
    return made(a, axis=axis, keepdims=keepdims)


def logsumexp(
    xp: Any, a: Any, axis: Any = None, b: Any = None, keepdims: bool = False,
    return_sign: bool = False,
) -> Any:  # fmt: skip
    a, axis = floating(xp, array(xp, a)), axes(axis)
    if b is None and not return_sign:
        return _logsumexp_of(xp, a, axis, keepdims)
    b = xp.ones_like(a) if b is None else floating(xp, array(xp, b))
    a, b = xp.broadcast_arrays(a, b)
    top = _top(xp, xp.where(b == 0, -np.inf, a), axis)
    weighted = xp.where(b == 0, 0.0, b * xp.exp(xp.where(b == 0, 0.0, a - top)))
    total = xp.sum(weighted, axis=axis, keepdims=True)
    size = xp.log(xp.abs(total)) + top
    sign = xp.constants.sign(total)
    if not return_sign:
        size = xp.where(sign < 0, np.nan, size)
    if not keepdims:
        reduced = tuple(range(a.ndim)) if axis is None else axis
        size, sign = (xp.squeeze(part, axis=reduced) for part in (size, sign))
    return (size, sign) if return_sign else size


def _top(xp: Any, x: Any, axis: Any) -> Any:
    """The largest element, as a constant; 0 where it is not finite."""
    top = xp.max(strip(x), axis=axis, keepdims=True)
    if top.dtype.kind in "iu":
        return top
    return xp.where(xp.isfinite(top), top, 0.0)


def softmax(xp: Any, x: Any, axis: Any = None) -> Any:
    x, axis = array(xp, x), axes(axis)
    e = xp.exp(x - xp.max(strip(x), axis=axis, keepdims=True))
    return e / xp.sum(e, axis=axis, keepdims=True)


def log_softmax(xp: Any, x: Any, axis: Any = None) -> Any:
    x, axis = array(xp, x), axes(axis)
    below = x - _top(xp, x, axis)
    return below - xp.log(xp.sum(xp.exp(below), axis=axis, keepdims=True))


def polygamma(xp: Any, n: Any, x: Any) -> Any:
    n, x = strip(array(xp, n)), array(xp, x)
    higher = (-1.0) ** (n + 1) * sp.gamma(n + 1.0) * sp._zeta(n + 1.0, x)
    return xp.where(n == 0, sp.psi(x), higher)


def multigammaln(xp: Any, a: Any, d: int) -> Any:
    a = floating(xp, array(xp, a))
    if d != int(d):
        raise ArgumentError(f"multigammaln: d is a positive integer: got {d!r}")
    terms = sp.gammaln(xp.stack([a - j / 2 for j in range(int(d))]))
    return d * (d - 1) / 4 * np.log(np.pi) + xp.sum(terms, axis=0)


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "log_softmax": log_softmax,
    "logsumexp": logsumexp,
    "multigammaln": multigammaln,
    "polygamma": polygamma,
    "softmax": softmax,
}


class Special:
    """``xp.special``: SciPy's functions for traced and plain arrays.

    SciPy looks here for them when SCIPY_ARRAY_API is set.
    """

    def __init__(self, xp: Any) -> None:
        self._xp = xp

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        home = importlib.import_module("scipy.special")
        return inspect.unwrap(getattr(home, name))
