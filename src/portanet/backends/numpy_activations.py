"""Native activations for NumPy: the formulas of the generic bodies, worked out in one buffer."""

from __future__ import annotations

import math

import numpy as np

_GELU = math.sqrt(8.0 / math.pi)
_CUBIC = 0.044715
_FAR = 30.0  # beyond it each of these equals its asymptote, in every dtype


def sigmoid(x: np.ndarray) -> np.ndarray:
    """Compute `portanet.functional.sigmoid`."""
    return _reciprocal_of_exp_plus_one(np.negative(x, np.empty_like(x)))


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
    """Compute `portanet.functional.gates.gelu_scale`: `d` times the derivative of ``gelu``."""
    near = np.maximum(x, -_FAR, out=np.empty_like(x))
    np.minimum(near, _FAR, out=near)
    square = np.multiply(near, near, np.empty_like(near))
    gate = np.multiply(square, -_GELU * _CUBIC, np.empty_like(near))
    gate -= _GELU
    gate *= near
    gate = _reciprocal_of_exp_plus_one(gate)
    square *= 3.0 * _GELU * _CUBIC
    square += _GELU
    square *= near
    square *= 1.0 - gate
    square += 1.0
    square *= gate
    return np.multiply(d, square, square) if d.shape == square.shape else d * square


def _reciprocal_of_exp_plus_one(w: np.ndarray) -> np.ndarray:
    with np.errstate(over="ignore"):
        np.exp(w, w)
    w += 1.0
    return np.reciprocal(w, w)
