"""Draws on the host by NumPy: the numbers that every library without its own generator uses."""

from __future__ import annotations

from typing import Any

import numpy as np

_NARROW_DIGITS = {"float16": 11, "bfloat16": 8}


def uniform(words: tuple[int, int], shape: tuple[int, ...], dtype: Any) -> np.ndarray:
    """Draw from [0, 1), the same for the same `words`.

    Parameters
    ----------
    words : tuple of two int
        The words of a key.
    shape : tuple of int
    dtype : dtype or str
        A floating dtype or its name. For float16 and bfloat16 the result is float32, rounded
        down to numbers that the narrow dtype can hold: none of them becomes 1 when converted.
    """
    draws = _generator(words).random(shape, dtype=_drawn(str(dtype)))
    digits = _NARROW_DIGITS.get(str(dtype))
    if digits is not None:
        return np.floor(draws * 2.0**digits) / 2.0**digits
    return draws.astype(dtype, copy=False)


def normal(words: tuple[int, int], shape: tuple[int, ...], dtype: Any) -> np.ndarray:
    """Draw from the standard normal distribution; float16 and bfloat16 are drawn as float32."""
    draws = _generator(words).standard_normal(shape, dtype=_drawn(str(dtype)))
    return draws if str(dtype) in _NARROW_DIGITS else draws.astype(dtype, copy=False)


def _generator(words: tuple[int, int]) -> np.random.Generator:
    return np.random.Generator(np.random.Philox(key=words[0] << 64 | words[1]))


def _drawn(name: str) -> Any:
    return np.float32 if name == "float32" or name in _NARROW_DIGITS else np.float64
