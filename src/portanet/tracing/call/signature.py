"""What the arguments of a call are to jit, and what tells two calls apart."""

from __future__ import annotations

from typing import Any

import numpy as np

from portanet.errors import ArgumentError
from portanet.interface import backend_of, is_array
from portanet.random import Key
from portanet.tape import Box
from portanet.tracing.record.host import Counter, RecordedKey, RecordedNumber, Varying

_ARRAY, _STATIC, _TRACED, _HOST = "array", "static", "traced", "host"
_KINDS: dict[type, str] = {}


def _kind(leaf: Any) -> str:
    if isinstance(leaf, Box | RecordedKey | RecordedNumber):
        return _TRACED
    if isinstance(leaf, Key | Counter | Varying):
        kind = _HOST
    elif is_array(leaf):
        backend = backend_of(leaf)
        kind = _TRACED if backend.is_traced(leaf) else _ARRAY
        if backend.hides_traces:
            return kind
    else:  # NumPy's masked arrays and matrices are no arrays of numbers
        kind = _ARRAY if isinstance(leaf, np.ndarray) else _STATIC
    _KINDS[type(leaf)] = kind
    return kind


def _array(x: Any) -> Any:
    kind = type(x)
    return kind, tuple(x.shape), x.dtype, None if kind.__module__ == "numpy" else _device(x)


def _device(x: Any) -> Any:
    """Return the device of an array, or the name of one that has no hash, such as CuPy's."""
    backend = backend_of(x)
    device = backend.device_of(x)
    return device if type(device).__hash__ else backend.device_name(device)


def _is_numeric(x: Any) -> bool:
    """Whether NumPy computes with an array as with any other: no masks, objects or texts."""
    if isinstance(x, np.ndarray):
        return type(x) is np.ndarray and x.dtype.kind in "biufc"
    return not isinstance(x, np.generic) or x.dtype.kind in "biufc"


def _static(x: Any) -> Any:
    """Return what tells a static argument from others: 0.0 is not -0.0, and 1 is not True."""
    if isinstance(x, float | complex):
        return type(x), repr(x)
    if isinstance(x, np.random.Generator | np.random.RandomState):
        raise ArgumentError(
            "pn.jit: the numbers of a generator would be drawn once and for all: draw with a key, "
            "pn.random.key(seed), which is an argument like an array"
        )
    refuse_changing(x)
    try:
        hash(x)
    except TypeError:
        raise ArgumentError(
            f"pn.jit: an argument that is no array tells programs apart by its hash: "
            f"{type(x).__name__} has none: give it one, or take it from around the function"
        ) from None
    return type(x), x


def signature(leaves: list[Any], structure: Any) -> tuple[tuple[Any, ...], list[int]] | None:
    """Return the key of a call's program and which leaves are its inputs.

    None if there can be no program: an argument is being traced, or is no plain array of numbers.
    """
    places, parts = [], [structure]
    for i, leaf in enumerate(leaves):
        kind = _KINDS.get(type(leaf)) or _kind(leaf)
        if kind is _STATIC:
            parts.append(_static(leaf))
            continue
        if kind is _TRACED or (kind is _ARRAY and not _is_numeric(leaf)):
            return None
        places.append(i)
        parts.append(_array(leaf) if kind is _ARRAY else type(leaf))
    return tuple(parts), places


def refuse_changing(x: Any) -> None:
    """Refuse a model that says ``changes_when_called``."""
    if getattr(type(x), "changes_when_called", False):
        raise ArgumentError(
            f"pn.jit: a {type(x).__name__} changes when it is called, which a replay cannot do: "
            "give jit its model, and pass parameters and states as arguments"
        )
