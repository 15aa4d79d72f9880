"""The backends that are known, by name."""

from __future__ import annotations

import importlib
from functools import cache
from typing import Any, TypeVar

from portanet.errors import ArgumentError, BackendNotAvailableError
from portanet.interface.backend import Backend
from portanet.interface.stand_ins import present

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
by_type: dict[type, Backend | None] = {}
"""What was found for a class of arrays; forgotten when a backend is registered."""
namespaces: dict[type, Any] = {}
"""The same for namespaces."""


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


def load(name: str) -> Backend:
    """Return the backend called `name`, whether it can be used here or not."""
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
    by_type.clear()
    namespaces.clear()
    return kind


def every_backend() -> dict[str, Backend]:
    """Return every known backend by its name, whether it can be used here or not."""
    return {name: load(name) for name in names()}


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
    backend = load(name)
    backend.require()
    return present(backend)


def available() -> dict[str, str | None]:
    """Return every known backend with the reason why it cannot be used, None where it can.

    Examples
    --------
    >>> import portanet as pn
    >>> pn.backends.available()["numpy"] is None
    True
    """
    return {name: backend.unavailable_reason() for name, backend in every_backend().items()}
