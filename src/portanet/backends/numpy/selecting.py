"""Choosing between two arrays by a mask, for NumPy.

To copy where a mask is true branches at each entry. Where nothing predicts the mask that takes ten
times as long as arithmetic on the bits of both arrays.
"""

from __future__ import annotations

from typing import Any

import numpy as np

_RARE = 32  # entries for each one that is chosen, of which branches are foreseen
_LARGE = 4096  # entries from which on three passes over the bits start soon enough


def where(condition: Any, x: Any, y: Any, /, *, out: Any = None) -> Any:
    """Compute ``xp.where``."""
    if out is None:
        return np.where(condition, x, y)
    size = out.size
    chosen = int(np.count_nonzero(condition))
    if condition.shape != out.shape or min(chosen, size - chosen) * _RARE < size:
        np.copyto(out, y)
        np.copyto(out, x, where=condition)
    elif out.dtype.char == "f" and size >= _LARGE:
        _choose_bits(condition, x, y, out)
    else:
        np.copyto(out, np.where(condition, x, y))
    return out


def _choose_bits(condition: np.ndarray, x: Any, y: Any, out: np.ndarray) -> None:
    """Fill `out` with ``y ^ (x ^ y) * condition``, which is `x` or `y` to the last bit."""
    mask = condition.astype(np.int32)
    x, y = (np.asarray(part, out.dtype).view(np.int32) for part in (x, y))
    bits = out.view(np.int32)
    np.bitwise_xor(x, y, bits)
    np.multiply(bits, mask, bits)
    np.bitwise_xor(bits, y, bits)
