"""The functions of CuPy that are no ufuncs: NumPy's, called as the release allows it."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
from cupy._array import dtype_of, host, made, ndarray, wrap
from cupy._release import TABLE, checked
from cupy._state import counts

# Their results depend on values: a device waits for those before it can go on.
WAITING = """
    argwhere bincount compress extract flatnonzero intersect1d nonzero setdiff1d setxor1d union1d
    unique unique_all unique_counts unique_inverse unique_values
""".split()  # noqa: SIM905
ON_THE_HOST = """
    broadcast_shapes can_cast common_type iscomplexobj isfortran isrealobj isscalar
    may_share_memory min_scalar_type ndim result_type shape shares_memory size
""".split()  # noqa: SIM905


def lifted(name: str, function: Callable[..., Any], parameters: str | None) -> Callable[..., Any]:
    """Return a function of NumPy that takes arrays of the device alone, and returns such."""
    check = checked(name, parameters)
    short = name.rpartition(".")[2]
    waits, plain = short in WAITING, short in ON_THE_HOST

    def call(*args: Any, **options: Any) -> Any:
        check(*args, **options)
        counts.waits += waits
        given = {key: host(x) for key, x in options.items()}
        with np.errstate(all="ignore"), warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)
            done = function(*map(host, args), **given)
        if options.get("out") is not None:
            return options["out"]
        return done if plain else wrap(done)

    call.__name__ = call.__qualname__ = short
    if parameters is not None:
        call.__signature__ = inspect.signature(check)
    return call


def missing(name: str) -> Callable[..., Any]:
    """Return what stands in the place of a function that the release has and the stand-in not."""

    def call(*args: Any, **options: Any) -> Any:
        raise NotImplementedError(f"the stand-in has no {name}")

    return call


def array(obj, dtype=None, copy=True, order="K", subok=False, ndmin=0, *, blocking=False):
    if subok:
        raise NotImplementedError
    if isinstance(obj, ndarray):
        wanted = obj.dtype if dtype is None else dtype_of(dtype)
        if not copy and wanted == obj.dtype and obj.ndim >= ndmin:
            return obj
        x = np.array(obj._host, wanted, copy=True, order=order, ndmin=ndmin)
        return made(x)
    if isinstance(obj, (list, tuple)):
        obj = _of_lists(obj)
    x = np.array(obj, dtype if dtype is None else dtype_of(dtype), order=order, ndmin=ndmin)
    dtype_of(x.dtype.newbyteorder("=") if dtype is None else x.dtype)
    if x.dtype.byteorder == ">":
        dtype_of(x.dtype)
    return made(np.ascontiguousarray(x).reshape(x.shape) if order == "C" else x)


def _of_lists(x: Any) -> Any:
    """Return nested lists of arrays, all of the device or all of the host, with NumPy's arrays."""
    if isinstance(x, (list, tuple)):
        return [_of_lists(part) for part in x]
    return x._host if isinstance(x, ndarray) else x


def asarray(a, dtype=None, order=None, *, copy=None, blocking=False):
    return array(a, dtype, bool(copy), order or "K", blocking=blocking)


def asanyarray(a, dtype=None, order=None, *, copy=None, blocking=False):
    return asarray(a, dtype, order, copy=copy, blocking=blocking)


def ascontiguousarray(a, dtype=None):
    x = np.ascontiguousarray(host(a), None if dtype is None else dtype_of(dtype))
    return a if x is a._host else made(x)


def asfortranarray(a, dtype=None):
    x = np.asfortranarray(host(a), None if dtype is None else dtype_of(dtype))
    return a if x is a._host else made(x)


def asnumpy(a, stream=None, order="C", out=None, *, blocking=True):
    if isinstance(a, ndarray):
        return a.get(stream, order, out)
    return np.asarray(a, order=order)


def empty(shape, dtype=float, order="C"):
    return ndarray(shape, float if dtype is None else dtype, order=order)


def empty_like(prototype, dtype=None, order="K", subok=None, shape=None):
    x = np.empty_like(host(prototype), dtype, order, shape=shape)
    return ndarray(x.shape, dtype_of(x.dtype))


def zeros(shape, dtype=float, order="C"):
    return made(np.zeros(shape, dtype_of(float if dtype is None else dtype), order))


def ones(shape, dtype=float, order="C"):
    return made(np.ones(shape, dtype_of(float if dtype is None else dtype), order))


def full(shape, fill_value, dtype=None, order="C"):
    value = host(fill_value)
    return made(np.full(shape, value, None if dtype is None else dtype_of(dtype), order))


def sum(a, axis=None, dtype=None, out=None, keepdims=False):
    return a.sum(axis, dtype, out, keepdims=keepdims)


def prod(a, axis=None, dtype=None, out=None, keepdims=False):
    return a.prod(axis, dtype, out, keepdims=keepdims)


def mean(a, axis=None, dtype=None, out=None, keepdims=False):
    return a.mean(axis, dtype, out, keepdims=keepdims)


def var(a, axis=None, dtype=None, out=None, ddof=0, keepdims=False):
    return a.var(axis, dtype, out, ddof, keepdims=keepdims)


def std(a, axis=None, dtype=None, out=None, ddof=0, keepdims=False):
    return a.std(axis, dtype, out, ddof, keepdims=keepdims)


def take(a, indices, axis=None, out=None):
    return a.take(indices, axis, out)


def take_along_axis(a, indices, axis):
    x, places = host(a), host(indices)
    size = x.size if axis is None else x.shape[axis]
    return wrap(np.take_along_axis(x, places % size if size else places, axis))


def clip(a, a_min, a_max, out=None):
    if a_min is None and a_max is None:
        raise ValueError("array_clip: must set either max or min")
    return a.clip(a_min, a_max, out)


def where(condition, x=None, y=None):
    if (x is None) != (y is None):
        raise ValueError("Must provide both 'x' and 'y' or neither.")
    if x is None:
        counts.waits += 1
        return wrap(host(condition).nonzero())
    with np.errstate(all="ignore"):
        return wrap(np.asarray(np.where(host(condition), host(x), host(y)), order="C"))


def concatenate(tup, axis=0, out=None, *, dtype=None, casting="same_kind"):
    arrays = list(tup)
    if not all(isinstance(x, ndarray) for x in arrays):
        raise TypeError("Only cupy arrays can be concatenated")
    if any(x.ndim == 0 for x in arrays) and axis is not None:
        raise TypeError("zero-dimensional arrays cannot be concatenated")
    given = [host(x) for x in arrays]
    if out is not None:
        np.concatenate(given, axis, host(out), casting=casting)
        return out
    return wrap(np.concatenate(given, axis, dtype=dtype, casting=casting))


def allclose(a, b, rtol=1e-5, atol=1e-8, equal_nan=False):
    return wrap(np.asarray(np.allclose(host(a), host(b), rtol, atol, equal_nan)))


def array_equal(a1, a2, equal_nan=False):
    return wrap(np.asarray(np.array_equal(host(a1), host(a2), equal_nan)))


def copyto(dst, src, casting="same_kind", where=None):
    counts.launches += 1
    np.copyto(host(dst), host(src), casting, where=True if where is None else host(where))


def get_array_module(*args):
    import cupy

    return cupy if any(isinstance(x, ndarray) for x in args) else np


def matmul(*args, **options):
    if any(np.ndim(host(x)) == 0 for x in args):
        raise ValueError("Scalar operands are not allowed, use '*' instead")
    return _MATMUL(*args, **options)


def from_dlpack(array, **options):
    raise BufferError("the stand-in shares no memory of a device")


_MATMUL = lifted("matmul", np.matmul, TABLE["cupy"]["functions"]["matmul"])
OWN = {
    function.__name__: function
    for function in (
        allclose, array, array_equal, asanyarray, asarray, ascontiguousarray, asfortranarray,
        asnumpy, clip, concatenate, copyto, empty, empty_like, from_dlpack, full,
        get_array_module, matmul, mean, ones, prod, std, sum, take, take_along_axis, var, where,
        zeros,
    )
}  # fmt: skip
OWN["concat"] = concatenate


def _released(function: Callable[..., Any], parameters: str | None) -> Callable[..., Any]:
    """Return a function of ours with the parameters of the release, which may have fewer."""
    if parameters is None or parameters.startswith("*"):
        return function
    check = checked(function.__name__, parameters)
    if [*inspect.signature(check).parameters] == [*inspect.signature(function).parameters]:
        return function

    def released(*args: Any, **options: Any) -> Any:
        check(*args, **options)
        return function(*args, **options)

    released.__name__, released.__signature__ = function.__name__, inspect.signature(check)
    return released


def functions_of(module: str, own: dict[str, Any], library: Any) -> dict[str, Callable[..., Any]]:
    """Return all functions of a module of the release: our own, NumPy's, or what refuses."""
    found = {}
    for name, parameters in TABLE[module]["functions"].items():
        full = f"{module}.{name}".removeprefix("cupy.")
        if name in own:
            found[name] = _released(own[name], parameters)
        elif hasattr(library, name):
            found[name] = lifted(full, getattr(library, name), parameters)
        else:
            found[name] = missing(f"{module}.{name}")
    return found


def _product(self: ndarray, other: Any) -> Any:
    return matmul(self, other) if isinstance(other, ndarray) else NotImplemented


ndarray.__matmul__ = _product
