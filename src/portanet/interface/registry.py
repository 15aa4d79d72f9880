"""Finding the backend of an array or of a name."""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from types import MappingProxyType
from typing import Any, TypeVar

import numpy as np

from portanet.errors import ArgumentError, BackendMismatchError, BackendNotAvailableError
from portanet.interface.backend import Backend, F
from portanet.tape import Box

B = TypeVar("B", bound=Backend)

ENTRY_POINT_GROUP = "portanet.backends"

# One table, and no entry points of portanet itself: it holds from a source tree too, where nothing
# is installed that could be asked.
_BUILT_IN = {
    "numpy": "portanet.backends.numpy:NumPyBackend",
    "array_api_strict": "portanet.backends.array_api_strict:StrictBackend",
    "cupy": "portanet.backends.cupy:CuPyBackend",
    "torch": "portanet.backends.torch:TorchBackend",
    "jax": "portanet.backends.jax:JaxBackend",
}

_registered: dict[str, Backend] = {}
_by_type: dict[type, Backend | None] = {}
_namespaces: dict[type, Any] = {}


_NONE: Mapping[Backend, Backend] = MappingProxyType({})
_stand_ins: ContextVar[Mapping[Backend, Backend]] = ContextVar("stand_ins", default=_NONE)
_standing_in: set[object] = set()  # one entry for each context of any thread with stand-ins


@contextmanager
def standing_in(backend: Backend, plain: Backend) -> Iterator[None]:
    """Let `backend` take the place of `plain`, in this thread, while the context lasts."""
    entry = object()
    _standing_in.add(entry)
    token = _stand_ins.set({**_stand_ins.get(), plain: backend})
    try:
        yield
    finally:
        _stand_ins.reset(token)
        _standing_in.discard(entry)


def _present(backend: Backend) -> Backend:
    return _stand_ins.get().get(backend, backend)


@cache
def _sources() -> dict[str, str]:
    from importlib import metadata

    found = {e.name: e.value for e in metadata.entry_points(group=ENTRY_POINT_GROUP)}
    return {**found, **_BUILT_IN}


_imported: dict[str, Backend] = {}


def _import(name: str) -> Backend:
    found = _imported.get(name)
    if found is None:
        module, _, attribute = _sources()[name].partition(":")
        made = getattr(importlib.import_module(module), attribute)()
        found = _imported.setdefault(name, made)  # of all threads that made one, the first's
    return found


def _load(name: str) -> Backend:
    return _registered[name] if name in _registered else _import(name)


def names() -> list[str]:
    """Return the names of all known backends, installed or not."""
    return [*_sources(), *_registered]


def register(kind: type[B]) -> type[B]:
    """Make a backend known in this process; a package names it as an entry point instead.

    Parameters
    ----------
    kind : subclass of Backend
        Made without arguments, once. Registering a class of the same name again replaces it.

    Returns
    -------
    type
        `kind`, so that this is a decorator too.

    Raises
    ------
    ArgumentError
        If `kind` is no class of that family, lacks an abstract method, or has the name of a
        backend that is installed.

    Examples
    --------
    >>> from portanet.backends import available, register
    >>> from portanet.backends.numpy import NumPyBackend
    >>> @register
    ... class Mine(NumPyBackend):
    ...     name = distribution = "mylibrary"
    ...     modules = ("mylibrary",)
    >>> available()["mylibrary"]
    'not installed: pip install "mylibrary"'
    """
    if not (isinstance(kind, type) and issubclass(kind, Backend)):
        raise ArgumentError(f"register takes a subclass of pn.backends.Backend: got {kind!r}")
    missing = [part for part in ("name", "modules", "distribution") if not hasattr(kind, part)]
    missing += sorted(kind.__abstractmethods__)
    if missing:
        raise ArgumentError(f"{kind.__name__} has no {', '.join(missing)}: a backend needs them")
    if kind.name in _sources():
        raise ArgumentError(f"the name {kind.name!r} of {kind.__name__} is taken: choose another")
    _registered[kind.name] = kind()
    _by_type.clear()
    _namespaces.clear()
    return kind


def every_backend() -> dict[str, Backend]:
    """Return every known backend by its name, whether it can be used here or not."""
    return {name: _load(name) for name in names()}


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
    if name not in names():
        raise BackendNotAvailableError(f"unknown backend {name!r}; known are {names()}")
    backend = _load(name)
    backend.require()
    return _present(backend)


def available() -> dict[str, str | None]:
    """Return every known backend with the reason why it cannot be used, None where it can.

    Examples
    --------
    >>> import portanet as pn
    >>> pn.backends.available()["numpy"] is None
    True
    """
    return {name: backend.unavailable_reason() for name, backend in every_backend().items()}


def _backend_of_type(kind: type) -> Backend | None:
    try:
        return _by_type[kind]
    except KeyError:
        pass
    backend = _search(kind)
    _by_type[kind] = backend
    return backend


def _search(kind: type) -> Backend | None:
    xp = getattr(kind, "xp", None) if issubclass(kind, Box) else None
    adapter = getattr(xp, "adapter", None)
    if adapter is not None:
        return adapter
    if xp is None and kind.__module__.partition(".")[0] in ("builtins", "portanet"):
        return None  # no adapter has to be loaded for that
    for name in names():
        backend = _load(name)
        if xp is not None:
            if backend.unavailable_reason() is None and backend.xp is xp:
                return backend
        elif backend.holds(kind):
            return backend
    return None


def is_array(x: Any) -> bool:
    """Whether `x` is an array, plain or traced, of a known library."""
    return _backend_of_type(type(x)) is not None


def adapter_of(x: Any) -> Backend | None:
    """Return the backend that the class of `x` belongs to, None without one."""
    return _backend_of_type(type(x))


def takes_over(x: Any, other: Any) -> bool:
    """Whether the backend of `x` computes with both where that of `other` does not know `x`."""
    own, plain = adapter_of(x), adapter_of(other)
    return own is not plain and own is not None and plain is not None and own.plain is plain


def is_array_of(backend: Backend, x: Any) -> bool:
    """Whether `x` is an array, plain or traced, of `backend`."""
    found = _backend_of_type(type(x))
    return found is backend or (found is not None and found is backend.plain)


def _is_number(x: Any) -> bool:
    """Whether `x` is a number of Python; NumPy's float64 is an array of NumPy like its float32."""
    return isinstance(x, bool | int | float | complex) and not isinstance(x, np.generic)


def backend_of(*arrays: Any) -> Backend:
    """Return the backend that all `arrays` belong to; Python numbers and None are ignored.

    Raises
    ------
    BackendMismatchError
        If they belong to two libraries, or to none.
    """
    found: Backend | None = None
    for x in arrays:
        backend = _by_type.get(type(x))
        if backend is None:
            if x is None or _is_number(x):
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
            if backend is found.plain:
                continue
            if found is backend.plain:
                found = backend
                continue
            raise BackendMismatchError(
                f"arrays of two libraries in one operation: {found.name} and {backend.name}; "
                f'move them together with pn.device("{found.name}")(...)'
            )
    if found is None:
        return _load("numpy")
    return _present(found) if _standing_in else found


def beside(x: Any, function: F) -> F:
    """Return a function that works on the device of an array, whichever is the current one."""
    return function if type(x) is np.ndarray else backend_of(x).following(function)


def device_of(x: Any) -> Any:
    """Return the device of an array, plain or traced, as the functions of its library take it."""
    return backend_of(x).device_of(x)


def dtype_name(x: Any) -> str:
    """Return the name of the dtype of an array."""
    return backend_of(x).dtype_name(x.dtype)


def same_dtype(x: Any, other: Any) -> bool:
    """Whether two arrays of one library have one dtype; NumPy's may differ in the order of bytes.

    What is read from a file may be of the other order. NumPy calculates with it as with any other.
    """
    return x.dtype == other.dtype or dtype_name(x) == dtype_name(other)


def is_floating(x: Any) -> bool:
    """Whether `x` is an array that can be differentiated: of real or complex numbers."""
    return is_array(x) and backend_of(x).is_floating(x.dtype)


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
            if x is None or _is_number(x):
                continue
            own = _backend_of_type(kind)
            xp = backend_of(x).xp if own is None else own.xp
            if own is not None:
                _namespaces[kind] = xp
        if found is None:
            found = xp
        elif xp is not found:
            return backend_of(*arrays).xp
    if found is None:
        return _load("numpy").xp
    return backend_of(*arrays).xp if _standing_in else found
