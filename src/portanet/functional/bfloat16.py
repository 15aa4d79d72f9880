"""The numbers of bfloat16 in arrays of float32, for NumPy, which has no arrays of bfloat16."""

from __future__ import annotations

import functools
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

import numpy as np

from portanet import tape
from portanet.interface import backend_of
from portanet.tape.ops.card import Card
from portanet.tape.rule import Elementwise


def emulates_bfloat16(x: Any) -> bool:
    """Whether an array is of NumPy, and the package ml_dtypes is there to round it."""
    return backend_of(x).holds(np.ndarray) and _has_ml_dtypes()


@functools.cache
def _has_ml_dtypes() -> bool:
    return find_spec("ml_dtypes") is not None


def rounded_to_bfloat16(x: Any) -> Any:
    """Return an array of NumPy with the digits of bfloat16, in its own dtype.

    Its derivatives are rounded in the same way.
    """
    return _rounding(backend_of(x).xp)(x)


@functools.cache
def _rounding(xp: tape.Namespace) -> Callable[[Any], Any]:
    rule = Elementwise(lambda xp, d, y, x: _rounding(xp)(d))
    return xp.primitive(Card("rounded_to_bfloat16", rule, fresh=True), _rounded)


def _rounded(x: np.ndarray) -> np.ndarray:
    import ml_dtypes

    return x.astype(ml_dtypes.bfloat16).astype(x.dtype)
