"""Native softmaxes for NumPy, whose reductions of short rows cost more than its loops."""

from __future__ import annotations

import numpy as np

from portanet.backends.numpy import sums

_SMALLEST = {"float32": 1e-20, "float64": 1e-100}  # a sum that has lost nothing to underflow
# Entries of which all passes stay in the cache: 4096 rows of 64 take 519, 371, 303, 272, 254 and
# 240 µs with 2**13 to 2**18.
_BLOCK = 131072


def softmax(x: np.ndarray, axis: int = -1, out: np.ndarray | None = None) -> np.ndarray:
    """Compute `portanet.functional.softmax`."""
    if x.size and (axis not in (-1, x.ndim - 1) or x.dtype.name not in _SMALLEST):
        y = np.exp(x - x.max(axis=axis, keepdims=True), out=out)
        return np.divide(y, sums.sum(y, axis=axis, keepdims=True), y)
    return _in_blocks(x, out, masked=False)


def masked_softmax(x: np.ndarray, out: np.ndarray | None = None) -> np.ndarray:
    """Compute `portanet.functional.sequences.attention.masked_softmax`."""
    return _in_blocks(x, out, masked=True)


def _in_blocks(x: np.ndarray, out: np.ndarray | None, masked: bool) -> np.ndarray:
    y = np.empty(x.shape, x.dtype) if out is None else out
    if x.size:
        n = x.shape[-1]
        sources, targets = x.reshape(-1, n), y.reshape(-1, n)
        rows = max(_BLOCK // n, 1)
        for start in range(0, len(sources), rows):
            _softmax(sources[start : start + rows], targets[start : start + rows], masked)
    return y


def _softmax(x: np.ndarray, y: np.ndarray, masked: bool) -> None:
    """Fill `y` with the softmax of the rows of `x`, relative to one maximum if that will do."""
    smallest = _SMALLEST.get(x.dtype.name)
    top = x.max()
    if smallest is not None and np.isfinite(top):
        np.subtract(x, top, y)
        np.exp(y, y)
        total = np.dot(y, np.ones((x.shape[1], 1), x.dtype))
        if total.min() >= smallest:
            np.divide(y, total, y)
            return
    tops = x.max(axis=1, keepdims=True)
    if masked:
        tops[tops == -np.inf] = 0
    np.exp(np.subtract(x, tops, y), y)
    total = y.sum(axis=1, keepdims=True)
    if masked:
        total[total == 0] = 1
    np.divide(y, total, y)
