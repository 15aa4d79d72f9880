"""Leaves of trees as the arrays of a file: arrays of any library, random keys, numbers, texts."""

from __future__ import annotations

from typing import Any, NoReturn

import numpy as np

from portanet import devices
from portanet.devices import Device
from portanet.errors import ArgumentError, DTypeError, PortanetError, shown
from portanet.interface import Backend, backend_of, every_backend, get_backend, is_array
from portanet.io import _dtypes, _generators
from portanet.parameters import precision
from portanet.random import Key


def check(name: str, leaf: Any) -> None:
    """Refuse a leaf that has no place in a file of arrays alone."""
    if not (is_array(leaf) or isinstance(leaf, Key | str | bool | int | float)):
        refuse(name, leaf)


def refuse(name: str, leaf: Any, *others: str) -> NoReturn:
    """Raise `ArgumentError` for a leaf that has no place in a file."""
    known = ", ".join(("an array", "a random key", *others, "a number"))
    raise ArgumentError(f"{name!r} is {known} or a text: got {shown(leaf)}")


def stored(name: str, leaf: Any, dtypes: frozenset[str]) -> np.ndarray:
    """Return what a file that has some `dtypes` has for the leaf called `name`."""
    check(name, leaf)
    if is_array(leaf):
        return _on_host(name, leaf, dtypes)
    if isinstance(leaf, Key):
        return np.asarray(leaf.words, np.uint64)
    if isinstance(leaf, str):
        return np.frombuffer(leaf.encode(errors="surrogatepass"), np.uint8)
    return np.asarray(small(name, leaf))


def small(name: str, number: Any) -> Any:
    """Return a number of Python, if an array could have it."""
    if isinstance(number, int) and not -(2**63) <= number < 2**64:
        raise ArgumentError(
            f"{name!r}: an integer fits 64 bits: got {shown(number)}: save it as a text"
        )
    return number


def _on_host(name: str, x: Any, dtypes: frozenset[str]) -> np.ndarray:
    backend = backend_of(x)
    dtype = backend.dtype_name(x.dtype)
    _dtypes.check_known(name, dtype, dtypes)
    try:
        return np.asarray(backend.to_numpy(x)).astype(_dtypes.on_host(x), copy=False)
    except PortanetError:
        raise
    except (RuntimeError, TypeError) as error:
        raise DTypeError(f"{name!r}: {backend.name} cannot hand out {dtype}: {error}") from error


def library_key(x: Any) -> tuple[Backend, str, np.ndarray] | None:
    """Return the library of a random key of its own, its algorithm and words; None of others."""
    if type(x).__module__.partition(".")[0] in ("builtins", "portanet"):
        return None  # no adapter has to be loaded for that
    for backend in every_backend().values():
        words = backend.random_key_words(x)
        if words is not None:
            return backend, *words
    return None


def fits(x: Any, leaf: Any, *, width: bool) -> bool:
    """Whether a leaf like `leaf` can hold `x` exactly; without `width`, in a dtype of its kind."""
    if is_array(x):
        return _array_fits(np.asarray(x), leaf, width=width)
    if isinstance(leaf, bool | int | float) and not is_array(leaf):
        whole = isinstance(x, int) and not isinstance(x, bool)
        if isinstance(leaf, float):
            return isinstance(x, float) or (whole and float(x) == x)
        return isinstance(x, bool) if isinstance(leaf, bool) else whole
    return kind_of(x) == kind_of(leaf)


def _array_fits(x: np.ndarray, leaf: Any, *, width: bool) -> bool:
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
    whole = kind == "integer" and x.ndim == 0 and float(x) == int(x)
    return isinstance(leaf, float) and (kind == "floating" or whole)


def _kinds_match(given: np.dtype, wanted: np.dtype) -> bool:
    return _dtypes.kind(given) == _dtypes.kind(wanted)


def shape_of(leaf: Any, x: Any) -> tuple[int, ...] | None:
    """Return the shape that `x` has to have in the place of a leaf, None where it may be any."""
    if not hasattr(x, "shape"):
        return None
    if isinstance(leaf, Key):
        return (2,)
    shape = getattr(leaf, "shape", () if isinstance(leaf, bool | int | float) else None)
    return None if shape is None else tuple(shape)


def kind_of(leaf: Any) -> str:
    """Return what a message calls the kind of a leaf."""
    if is_array(leaf):
        return _dtypes.on_host(leaf).name
    if isinstance(leaf, np.random.Generator):
        return f"Generator of {_generators.kind_of(leaf)}"
    key = library_key(leaf)
    if key is not None:
        return f"{key[0].name} key of {key[1]}"
    return "None" if leaf is None else type(leaf).__name__


def restored(name: str, x: Any, leaf: Any, place: Device | None, *, width: bool) -> Any:
    """Return a leaf like `leaf` with what a file has; without `width`, in the file's dtype."""
    if not is_array(x):
        return type(leaf)(x) if isinstance(leaf, bool | int | float | str) else x
    if is_array(leaf):
        x = np.asarray(x)
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


def placed(name: str, x: Any, place: Device | None) -> Any:
    """Return an array of a file at `place`, with its dtype; what is none stays."""
    if place is None or get_backend(place.backend).holds(type(x)):
        return x
    if x.dtype.name == "bfloat16":  # which not every library takes from NumPy
        return precision.astype(place(x.astype(np.float32)), "bfloat16")
    return place({name: x})[name]
