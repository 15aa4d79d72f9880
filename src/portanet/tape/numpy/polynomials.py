"""Convolution, correlation, and polynomials as vectors of their coefficients."""

from __future__ import annotations

import itertools
import operator
from collections.abc import Callable
from typing import Any

import numpy as np

from portanet.errors import ArgumentError, ShapeError
from portanet.tape.numpy.operands import array, flat
from portanet.tape.ops.card import Card
from portanet.tape.rule import Multilinear, cast, conj


def _convolve_transpose(xp: Any, g: Any, other: Any, like: Any) -> Any:
    n = other.shape[0]
    y = convolve(xp, g, conj(xp, xp.flip(other)))[n - 1 : n - 1 + like.shape[0]]
    return cast(xp, y, like.dtype)


_CONVOLUTION = Multilinear(
    lambda xp, g, a, v: _convolve_transpose(xp, g, v, a),
    lambda xp, g, a, v: _convolve_transpose(xp, g, a, v),
)


def convolve(xp: Any, a: Any, v: Any, mode: str = "full") -> Any:
    a, v = _vector(xp, a), _vector(xp, v)
    if a.shape[0] < v.shape[0]:
        a, v = v, a
    if not v.shape[0]:
        raise ShapeError("numpy.convolve needs two vectors that are not empty")
    full = xp.__dict__.get("numpys_convolve")
    if full is None:
        full = xp.primitive(Card("numpy.convolve", _CONVOLUTION, fresh=True), np.convolve)
        xp.__dict__["numpys_convolve"] = full
    n, m = a.shape[0], v.shape[0]
    return _cut(full(a, v), mode, n, m, (m - 1) // 2)


def correlate(xp: Any, a: Any, v: Any, mode: str = "valid") -> Any:
    a, v = array(xp, a), array(xp, v)
    if a.ndim != 1 or v.ndim != 1:
        raise ShapeError(f"numpy.correlate takes vectors: ndim = {a.ndim}, {v.ndim}")
    n, m = a.shape[0], v.shape[0]
    full = convolve(xp, a, conj(xp, xp.flip(v)))
    return _cut(full, mode, max(n, m), min(n, m), (m - 1) // 2 if n >= m else n // 2)


def _vector(xp: Any, x: Any) -> Any:
    """Return an operand as a vector, a number as one of one element."""
    x = array(xp, x)
    if x.ndim > 1:
        raise ShapeError(f"numpy.convolve takes vectors: ndim = {x.ndim} > 1")
    return flat(xp, x)


def _cut(full: Any, mode: str, n: int, m: int, start: int) -> Any:
    """Cut the part that a mode names out of a full convolution of lengths ``n >= m``."""
    if mode not in ("full", "same", "valid"):
        raise ArgumentError(f"mode is 'full', 'same' or 'valid': got {mode!r}")
    if mode == "full":
        return full
    return full[start : start + n] if mode == "same" else full[m - 1 : n]


def polyval(xp: Any, p: Any, x: Any) -> Any:
    p, x = array(xp, p), array(xp, x)
    y = xp.zeros_like(x)
    for i in range(p.shape[0]):
        y = y * x + p[i]
    return y


def _poly_sum(sign: int) -> Callable[..., Any]:
    def body(xp: Any, a1: Any, a2: Any) -> Any:
        left, right = (flat(xp, p) for p in (a1, a2))
        n = max(left.shape[0], right.shape[0])
        left, right = (
            xp.concat([xp.zeros(n - p.shape[0], dtype=p.dtype), p]) for p in (left, right)
        )
        return left + right if sign > 0 else left - right

    return body


def polymul(xp: Any, a1: Any, a2: Any) -> Any:
    return convolve(xp, a1, a2)


def polyder(xp: Any, p: Any, m: int = 1) -> Any:
    p = flat(xp, p)
    for _ in range(m):
        p = p[:-1] * np.arange(p.shape[0] - 1, 0, -1)
    return p


def polyint(xp: Any, p: Any, m: int = 1, k: Any = None) -> Any:
    p = flat(xp, p)
    constants = np.broadcast_to(0 if k is None else k, (m,))
    for constant in constants:
        p = p / np.arange(p.shape[0], 0, -1)
        p = xp.concat([p, np.asarray([constant], dtype=p.dtype)])
    return p


def vander(xp: Any, x: Any, N: Any = None, increasing: bool = False) -> Any:
    x = array(xp, x)
    if x.ndim != 1:
        raise ShapeError(f"vander: x.ndim == 1: {x.ndim} != 1")
    count = x.shape[0] if N is None else operator.index(N)
    x = xp.astype(x, np.promote_types(x.dtype, int))
    if count <= 0:
        return xp.zeros((x.shape[0], count), dtype=x.dtype)
    powers = [xp.ones_like(x), *itertools.repeat(x, count - 1)]
    columns = list(itertools.accumulate(powers, xp.multiply))
    return xp.stack(columns if increasing else columns[::-1], axis=-1)


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "convolve": convolve,
    "correlate": correlate,
    "polyadd": _poly_sum(1),
    "polyder": polyder,
    "polyint": polyint,
    "polymul": polymul,
    "polysub": _poly_sum(-1),
    "polyval": polyval,
    "vander": vander,
}
