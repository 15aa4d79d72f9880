"""Leaves of trees as the arrays of a file: arrays of any library, random keys, numbers, texts."""

from __future__ import annotations

from typing import Any

import numpy as np

from portanet import devices
from portanet.devices import Device
from portanet.errors import ArgumentError, DTypeError, PortanetError, shown
from portanet.interface import backend_of, get_backend, is_array
from portanet.io import _dtypes
from portanet.parameters import precision
from portanet.random import Key


def check(name: str, leaf: Any) -> None:
    """Refuse a leaf that has no place in a file."""
    if not (is_array(leaf) or isinstance(leaf, Key | str | bool | int | float)):
        raise ArgumentError(
            f"{name!r} is an array, a random key, a number or a text: got {shown(leaf)}"
        )


def stored(name: str, leaf: Any) -> np.ndarray:
    """Return what a file has for the leaf called `name`."""
    check(name, leaf)
    if is_array(leaf):
        return _on_host(name, leaf)
    if isinstance(leaf, Key):
        return np.asarray(leaf.words, np.uint64)
    if isinstance(leaf, str):
        return np.frombuffer(leaf.encode(errors="surrogatepass"), np.uint8)
    if isinstance(leaf, int) and not -(2**63) <= leaf < 2**64:
        raise ArgumentError(
            f"{name!r}: an integer fits 64 bits: got {shown(leaf)}: save it as a text"
        )
    return np.asarray(leaf)


def _on_host(name: str, x: Any) -> np.ndarray:
    backend = backend_of(x)
    dtype = backend.dtype_name(x.dtype)
    _dtypes.check_known(name, dtype)
    try:
        return np.asarray(backend.to_numpy(x)).astype(_dtypes.on_host(x), copy=False)
    except PortanetError:
        raise
    except (RuntimeError, TypeError) as error:
        raise DTypeError(f"{name!r}: {backend.name} cannot hand out {dtype}: {error}") from error


def fits(x: np.ndarray, leaf: Any, *, width: bool) -> bool:
    """Whether a leaf like `leaf` can hold `x` exactly; without `width`, in a dtype of its kind."""
    if is_array(leaf):
        wanted = _dtypes.on_host(leaf)
        return _dtypes.holds(wanted, x.dtype) if width else _kinds_match(x.dtype, wanted)
    if isinstance(leaf, Key):
        return x.dtype == np.uint64
    if isinstance(leaf, str):
        return x.dtype == np.uint8 and _text(x) is not None
    kind = _dtypes.kind(x.dtype)
    if isinstance(leaf, bool):
        return kind == "bool"
    if isinstance(leaf, int):
        return kind == "integer"
    return kind == "floating" or (kind == "integer" and float(x) == int(x))


def _kinds_match(given: np.dtype, wanted: np.dtype) -> bool:
    return _dtypes.kind(given) == _dtypes.kind(wanted)


def shape_of(leaf: Any) -> tuple[int, ...] | None:
    """Return the shape that a file has for a leaf, None where it may be any."""
    if isinstance(leaf, str):
        return None
    return (2,) if isinstance(leaf, Key) else tuple(getattr(leaf, "shape", ()))


def kind_of(leaf: Any) -> str:
    """Return what a message calls the kind of a leaf."""
    return _dtypes.on_host(leaf).name if is_array(leaf) else type(leaf).__name__


def restored(name: str, x: np.ndarray, leaf: Any, place: Device | None, *, width: bool) -> Any:
    """Return a leaf like `leaf` with what a file has; without `width`, in the file's dtype."""
    if is_array(leaf):
        if not width:
            return placed(name, x, place)
        x = x.astype(_dtypes.on_host(leaf), copy=False)
        return placed(name, x, place or devices.get_device(leaf))
    if isinstance(leaf, Key):
        high, low = x.tolist()
        return Key((high, low))
    return type(leaf)(_text(x) if isinstance(leaf, str) else x.item())


def _text(x: np.ndarray) -> str | None:
    try:
        return x.tobytes().decode(errors="surrogatepass")
    except UnicodeDecodeError:
        return None


def placed(name: str, x: np.ndarray, place: Device | None) -> Any:
    """Return an array of a file at `place`, with its dtype."""
    if place is None or get_backend(place.backend).holds(type(x)):
        return x
    if x.dtype.name == "bfloat16":  # which not every library takes from NumPy
        return precision.astype(place(x.astype(np.float32)), "bfloat16")
    return place({name: x})[name]
