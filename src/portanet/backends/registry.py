"""Finding the backend of an array or of a name."""

from __future__ import annotations

import importlib
import importlib.metadata
from functools import cache
from typing import Any

from portanet.backends.base import Backend
from portanet.errors import BackendMismatchError, BackendNotAvailableError
from portanet.tape import Box

ENTRY_POINT_GROUP = "portanet.backends"

_BUILT_IN = {
    "numpy": "portanet.backends.numpy:NumPyBackend",
    "array_api_strict": "portanet.backends.array_api_strict:StrictBackend",
    "cupy": "portanet.backends.cupy:CuPyBackend",
    "torch": "portanet.backends.torch:TorchBackend",
}

_by_type: dict[type, Backend | None] = {}
_namespaces: dict[type, Any] = {}


@cache
def _sources() -> dict[str, str]:
    found = {e.name: e.value for e in importlib.metadata.entry_points(group=ENTRY_POINT_GROUP)}
    return {**found, **_BUILT_IN}


@cache
def _load(name: str) -> Backend:
    module, _, attribute = _sources()[name].partition(":")
    return getattr(importlib.import_module(module), attribute)()


def names() -> list[str]:
    """Return the names of all known backends, installed or not."""
    return list(_sources())


def get_backend(name: str) -> Backend:
    """Return the backend called `name`.

    Raises
    ------
    BackendNotAvailableError
        If no such backend is known, or its library is not installed.

    Examples
    --------
    >>> import portanet as pn
    >>> pn.backends.get_backend("numpy").name
    'numpy'
    """
    if name not in _sources():
        raise BackendNotAvailableError(f"unknown backend {name!r}; known are {names()}")
    backend = _load(name)
    backend.require()
    return backend


def available() -> dict[str, str | None]:
    """Return every known backend with the reason why it cannot be used, None where it can.

    Examples
    --------
    >>> import portanet as pn
    >>> pn.backends.available()["numpy"] is None
    True
    """
    return {name: _load(name).unavailable_reason() for name in names()}


def _backend_of_type(kind: type) -> Backend | None:
    try:
        return _by_type[kind]
    except KeyError:
        pass
    backend = _search(kind)
    _by_type[kind] = backend
    return backend


def _search(kind: type) -> Backend | None:
    xp = getattr(kind, "xp", None)
    for name in names():
        backend = _load(name)
        if xp is not None:
            if backend.unavailable_reason() is None and backend.xp is xp:
                return backend
        elif any(_is_array(base, backend) for base in kind.__mro__):
            return backend
    return None


def _is_array(kind: type, backend: Backend) -> bool:
    return kind.__module__.partition(".")[0] in backend.modules and hasattr(kind, "shape")


def is_array(x: Any) -> bool:
    """Whether `x` is an array, plain or traced, of a known library."""
    return _backend_of_type(type(x)) is not None


def backend_of(*arrays: Any) -> Backend:
    """Return the backend that all `arrays` belong to; Python numbers and None are ignored.

    Raises
    ------
    BackendMismatchError
        If they belong to two libraries, or to none.
    """
    found: Backend | None = None
    for x in arrays:
        if x is None or isinstance(x, bool | int | float | complex):
            continue
        backend = _backend_of_type(type(x))
        if backend is None and isinstance(x, Box):
            backend = backend_of(x.value)  # a Param, whose library is that of its array
        if backend is None:
            raise BackendMismatchError(
                f"{type(x).__module__}.{type(x).__qualname__} is not an array of a known library "
                f"({', '.join(names())}): convert it first, for example with numpy.asarray"
            )
        if found is None:
            found = backend
        elif backend is not found:
            raise BackendMismatchError(
                f"arrays of two libraries in one operation: {found.name} and {backend.name}; "
                f'move them together with pn.device("{found.name}")(...)'
            )
    return _load("numpy") if found is None else found


def array_namespace(*arrays: Any) -> Any:
    """Return the Array API namespace of the library that `arrays` belong to.

    Plain arrays and those being differentiated are one family, and the namespace takes both.
    Python numbers and None are ignored; without any array the namespace is NumPy's.

    Raises
    ------
    BackendMismatchError
        If the arrays belong to two libraries, or one of them to none.

    Examples
    --------
    >>> import numpy as np
    >>> import portanet as pn
    >>> xp = pn.array_namespace(np.ones(3))
    >>> float(xp.sum(np.ones(3)))
    3.0
    """
    found = None
    for x in arrays:
        kind = type(x)
        if kind in _namespaces:
            xp = _namespaces[kind]
        else:
            if x is None or isinstance(x, bool | int | float | complex):
                continue
            xp = backend_of(x).xp
            if is_array(x):
                _namespaces[kind] = xp
        if found is None:
            found = xp
        elif xp is not found:
            return backend_of(*arrays).xp
    return _load("numpy").xp if found is None else found
