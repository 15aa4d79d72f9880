"""The backend and the namespace of arrays, found by their classes."""

from __future__ import annotations

from typing import Any

import numpy as np

from portanet.errors import BackendMismatchError
from portanet.interface.backend import Backend, F
from portanet.interface.registry import by_type, load, names, namespaces
from portanet.interface.stand_ins import present, standing
from portanet.tape import Box, Namespace


def _backend_of_type(kind: type) -> Backend | None:
    try:
        return by_type[kind]
    except KeyError:
        pass
    backend = _search(kind)
    by_type[kind] = backend
    return backend


def _search(kind: type) -> Backend | None:
    xp = getattr(kind, "xp", None) if issubclass(kind, Box) else None
    adapter = getattr(xp, "adapter", None)
    if adapter is not None:
        return adapter
    if xp is None and kind.__module__.partition(".")[0] in ("builtins", "portanet"):
        return None  # no adapter has to be loaded for that
    if issubclass(kind, Box):  # a Param has that of the array inside
        return _of_namespace(xp) if isinstance(xp, Namespace) else None
    return next((backend for name in names() if (backend := load(name)).holds(kind)), None)


def _of_namespace(xp: Any) -> Backend | None:
    """Return the backend whose tape has a namespace; no other library is imported to find it."""
    for name in sorted(names(), key=lambda name: name != xp.library):
        backend = load(name)
        taped = not backend.differentiates_itself and backend.unavailable_reason() is None
        if taped and backend.xp is xp:
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


_NUMBERS = (bool, int, float, complex)


def _is_number(x: Any) -> bool:
    """Whether `x` is a number of Python; NumPy's float64 is an array of NumPy like its float32."""
    return isinstance(x, _NUMBERS) and not isinstance(x, np.generic)


def backend_of(*arrays: Any) -> Backend:
    """Return the backend that all `arrays` belong to; Python numbers and None are ignored.

    Raises
    ------
    BackendMismatchError
        If they belong to two libraries, or to none.
    """
    found: Backend | None = None
    for x in arrays:
        backend = by_type.get(type(x))
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
        return load("numpy")
    return present(found) if standing else found


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
        if kind in namespaces:
            xp = namespaces[kind]
        else:
            if x is None or _is_number(x):
                continue
            own = _backend_of_type(kind)
            xp = backend_of(x).xp if own is None else own.xp
            if own is not None:
                namespaces[kind] = xp
        if found is None:
            found = xp
        elif xp is not found:
            return backend_of(*arrays).xp
    if found is None:
        return load("numpy").xp
    return backend_of(*arrays).xp if standing else found
