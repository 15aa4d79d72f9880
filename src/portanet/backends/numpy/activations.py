"""Native activations for NumPy: the formulas of the generic bodies, worked out in one buffer."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from portanet.functional.kernel import GENERIC
from portanet.tape.ops.transcendental import SPARED, largest_exponent

_GELU = math.sqrt(8.0 / math.pi)
_CUBIC = 0.044715
_FAR = 30.0  # beyond it each of these equals its asymptote, in every dtype
# What np.clip calls: beside a number a minimum or a maximum takes three times as long.
_clip: Any = np._core.umath.clip  # pyright: ignore[reportAttributeAccessIssue]


def sigmoid(x: np.ndarray, out: np.ndarray | None = None) -> np.ndarray:
    """Compute `portanet.functional.sigmoid`."""
    return _of_log_odds(x, np.empty_like(x) if out is None else out)


def logaddexp_share(own: Any, other: Any, out: np.ndarray | None = None) -> np.ndarray:
    """Compute ``xp.logaddexp_share``."""
    differ = np.not_equal(own, other)
    gap = np.empty(differ.shape, np.result_type(own, other)) if out is None else out
    gap.fill(0)
    return _of_log_odds(np.subtract(own, other, gap, where=differ), gap)


def gelu(x: np.ndarray) -> np.ndarray:
    """Compute `portanet.functional.gelu`."""
    w = np.empty_like(x)
    # What overflows here gives the limits of the result, x and -0.
    with np.errstate(over="ignore"):
        np.multiply(x, x, w)
        w *= -_GELU * _CUBIC
        w -= _GELU
        w *= x
        np.exp(w, w)
        w += 1.0
        return np.divide(x, w, w)


def gelu_scale(d: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Compute `portanet.functional.activations.gates.gelu_scale`."""
    near = _clip(x, -_FAR, _FAR, np.empty_like(x))
    square = np.multiply(near, near, np.empty_like(near))
    gate = np.multiply(square, _GELU * _CUBIC, np.empty_like(near))
    gate += _GELU
    gate *= near
    gate = _of_log_odds(gate, gate)
    square *= 3.0 * _GELU * _CUBIC
    square += _GELU
    square *= near
    square *= 1.0 - gate
    square += 1.0
    square *= gate
    return np.multiply(d, square, square) if d.shape == square.shape else d * square


def _of_log_odds(x: np.ndarray, out: np.ndarray) -> np.ndarray:
    """Fill `out` with ``odds / (1 + odds)``; beyond what is finite that is 1 anyway."""
    if out.size > SPARED:
        with np.errstate(over="ignore"):
            np.exp(np.negative(x, out), out)
        out += 1.0
        return np.divide(1.0, out, out)  # in two thirds of the time of a reciprocal
    np.exp(_clip(x, -math.inf, largest_exponent(out.dtype), out), out)
    return np.divide(out, out + 1.0, out)


_BLOCK = 32768  # entries: what is between the passes stays in a second-level cache
_RATE = 0.265
_TAIL = (
    -0.06771121454509035, 0.19500959715899638, -0.06599616958612614, 0.14223273187761146,
    0.08304590293417403, 0.10781760441838092, 0.10560129652308221,
)  # fmt: skip


def gelu_erf(x: np.ndarray, out: np.ndarray | None = None) -> np.ndarray:
    """Compute `portanet.functional.gelu_erf`; in float32 with a relative error below 5e-6.

    Half of the passes of the generic body: ``max(x, 0) - y * exp(-y * y / 2) * p(t)`` with
    ``y = abs(x)`` and a polynomial in ``t = 1 / (1 + 0.265 * y)`` that was fitted to this.
    """
    if x.dtype != np.float32:
        y = GENERIC["gelu_erf"](x)
        return y if out is None else np.positive(y, out)
    y = np.empty(x.shape, x.dtype) if out is None else out
    sources, targets = x.reshape(-1), y.reshape(-1)
    work = np.empty((3, min(x.size, _BLOCK)), x.dtype)
    for start in range(0, x.size, _BLOCK):
        part = targets[start : start + _BLOCK]
        _gelu_erf(sources[start : start + _BLOCK], part, *work[:, : part.size])
    return y


def _gelu_erf(
    x: np.ndarray, y: np.ndarray, size: np.ndarray, t: np.ndarray, tail: np.ndarray
) -> None:
    _clip(np.abs(x, size), 0.0, 15.0, size)  # beyond, the rest is zero
    np.multiply(size, _RATE, t)
    np.add(t, 1.0, t)
    np.divide(1.0, t, t)  # in half the time of a reciprocal
    np.multiply(t, _TAIL[0], tail)
    for coefficient in _TAIL[1:]:
        np.add(tail, coefficient, tail)
        np.multiply(tail, t, tail)
    np.multiply(size, size, t)
    np.multiply(t, -0.5, t)
    np.multiply(tail, np.exp(t, t), tail)
    np.multiply(tail, size, tail)
    np.subtract(_clip(x, 0.0, math.inf, y), tail, y)
