"""``cupy.ndarray``: memory of NumPy, which nothing but the functions of the stand-in reaches."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from cupy import _index
from cupy._state import check_device, counts, current

CHARACTERS = frozenset("?bhilqBHILQefdFD")
SCALARS = (bool, int, float, complex, np.bool_, np.number)


def dtype_of(x: Any) -> np.dtype:
    """Return a dtype that the device has: no long double, no other order of bytes."""
    dtype = np.dtype(x)
    if dtype.byteorder == ">":
        raise ValueError(f"Unsupported dtype {dtype} with big-endian byte-order")
    if dtype.char not in CHARACTERS:
        raise ValueError(f"Unsupported dtype {dtype}")
    return dtype


class Pointer:
    """``x.data``: where an array is."""

    def __init__(self, x: ndarray) -> None:
        self.ptr = x._host.ctypes.data
        self.device_id = x._device

    @property
    def device(self) -> Any:
        from cupy.cuda.device import Device

        return Device(self.device_id)


class ndarray:
    """An array on a device. `_host` is its memory, `_device` the number of the device."""

    __slots__ = ("__weakref__", "_device", "_host")
    __module__ = "cupy"
    __hash__ = None
    __array_priority__ = 100

    def __new__(cls, shape, dtype=float, memptr=None, strides=None, order="C"):
        if memptr is not None or strides is not None:
            raise NotImplementedError("the stand-in has no memory pointers")
        host = np.empty(shape, dtype_of(dtype), order)
        host.fill(np.nan if host.dtype.kind in "fc" else 77)  # memory that nobody has written
        new = made(host)
        counts.launches -= 1
        return new

    def __init__(self, *args, **options):
        pass

    dtype = property(lambda self: self._host.dtype)
    ndim = property(lambda self: self._host.ndim)
    size = property(lambda self: self._host.size)
    itemsize = property(lambda self: self._host.itemsize)
    nbytes = property(lambda self: self._host.nbytes)
    strides = property(lambda self: self._host.strides)
    flags = property(lambda self: self._host.flags)
    data = property(Pointer)
    T = property(lambda self: made(self._host.T, self._device))
    mT = property(lambda self: made(self._host.mT, self._device))
    device = property(lambda self: Pointer(self).device)

    @property
    def shape(self):
        return self._host.shape

    @shape.setter
    def shape(self, shape):
        self._host.shape = shape

    @property
    def real(self):
        return wrap(self._host.real)

    @real.setter
    def real(self, value):
        self._host.real = host(value)

    @property
    def imag(self):
        if self._host.dtype.kind == "c":
            return wrap(self._host.imag)
        return wrap(np.zeros(self.shape, self.dtype))

    @imag.setter
    def imag(self, value):
        if self._host.dtype.kind != "c":
            raise TypeError("cupy.ndarray does not have imaginary part to set")
        self._host.imag = host(value)

    @property
    def flat(self):
        raise NotImplementedError("the stand-in has no flat iterators")

    def get(self, stream=None, order="C", out=None, blocking=True):
        """Copy to the host, for which it waits."""
        counts.waits += 1
        if out is None:
            return np.array(self._host, order=order)
        if out.dtype != self.dtype or out.shape != self.shape:
            raise ValueError(f"Shape or dtype mismatch: {out.shape} {out.dtype}")
        out[...] = self._host
        return out

    def set(self, arr, stream=None):
        if not isinstance(arr, np.ndarray):
            raise TypeError("Only numpy.ndarray can be set to cupy.ndarray")
        if arr.dtype != self.dtype or arr.shape != self.shape:
            raise ValueError(f"Shape or dtype mismatch: {arr.shape} {arr.dtype}")
        self._host[...] = arr

    def item(self):
        if self.size != 1:
            raise ValueError("can only convert an array of size 1 to a Python scalar")
        return self.get().item()

    def tolist(self):
        return self.get().tolist()

    def tobytes(self, order="C"):
        return self.get().tobytes(order)

    def astype(self, dtype, order="K", casting=None, subok=None, copy=True):
        if casting is not None or subok is not None:
            raise TypeError(f"{'subok' if casting is None else 'casting'} is not supported yet")
        dtype = dtype_of(dtype)
        if not copy and dtype == self.dtype:
            return self
        with np.errstate(all="ignore"):
            return wrap(self._host.astype(dtype, "K" if order is None else order))

    def copy(self, order="C"):
        return wrap(self._host.copy(order))

    def fill(self, value):
        if isinstance(value, np.ndarray) and value.shape != ():
            raise ValueError("non-scalar numpy.ndarray cannot be used for fill")
        self._host.fill(host(value) if isinstance(value, ndarray) else value)

    def view(self, dtype=None, type=None):
        return wrap(self._host.view() if dtype is None else self._host.view(dtype_of(dtype)))

    def dot(self, b, out=None):
        return wrap(np.dot(host(self), host(b)))

    def take(self, indices, axis=None, out=None):
        return wrap(_index.take(host(self), indices, axis))

    def put(self, indices, values, mode="wrap"):
        np.put(host(self), _index.array_of(indices), host(values), mode=mode)

    def nonzero(self):
        counts.waits += 1
        return wrap(host(self).nonzero())

    def __getitem__(self, key):
        found, is_view = _index.read(self._host, key)
        return made(found, self._device) if is_view else made(_index.read(host(self), key)[0])

    def __setitem__(self, key, value):
        counts.launches += 1
        _index.write(host(self), key, value, self.dtype)

    def __array__(self, dtype=None):
        raise TypeError(
            "Implicit conversion to a NumPy array is not allowed. "
            "Please use `.get()` to construct a NumPy array explicitly."
        )

    def __array_ufunc__(self, ufunc, method, *inputs, **options):
        import cupy

        out = options.get("out")
        if out is not None:
            if len(out) != 1:
                raise ValueError("The 'out' parameter must have exactly one array value")
            options["out"] = out[0]
        function = getattr(cupy, ufunc.__name__, None)
        if function is not None and method != "__call__":
            function = getattr(function, method, None)
        if function is None or not all(
            isinstance(x, (ndarray, np.ndarray, *SCALARS)) for x in (*inputs, *(out or ()))
        ):
            return NotImplemented
        return function(*inputs, **options)

    def __array_function__(self, function, types, args, options):
        import cupy

        module = cupy
        for part in function.__module__.split(".")[1:]:
            module = getattr(module, part, None)
        found = getattr(module, function.__name__, None)
        if found is None or found is function or not set(types) <= {ndarray, np.ndarray}:
            return NotImplemented
        return found(*args, **options)

    def __dlpack_device__(self):
        return (2, self._device)  # a CUDA device

    def __dlpack__(self, *, stream=None, max_version=None, dl_device=None, copy=None):
        raise BufferError("the stand-in has no memory on a device to share")

    def __bool__(self):
        if self.size == 0:
            warnings.warn("The truth value of an empty array is ambiguous.", DeprecationWarning, 2)
            return False
        if self.size != 1:
            raise ValueError(
                "The truth value of an array with more than one element is ambiguous. "
                "Use a.any() or a.all()"
            )
        return bool(self.get().reshape(()))

    def __int__(self):
        return int(self.get())

    def __float__(self):
        return float(self.get())

    def __complex__(self):
        return complex(self.get())

    def __len__(self):
        if not self.ndim:
            raise TypeError("len() of unsized object")
        return self.shape[0]

    def __iter__(self):
        if not self.ndim:
            raise TypeError("iteration over a 0-d array")
        return (self[i] for i in range(self.shape[0]))

    def __copy__(self):
        return self.copy()

    def __deepcopy__(self, memo):
        from cupy.cuda.device import Device

        with Device(self._device):
            return self.copy()

    def __reduce__(self):
        import cupy

        return cupy.array, (self.get(order="A"),)

    def __repr__(self):
        return repr(self.get())

    def __str__(self):
        return str(self.get())

    def __format__(self, text):
        return format(self.get(), text)


def made(memory: np.ndarray, device: int | None = None) -> ndarray:
    """Return memory of NumPy as an array on a device, by default on the current one."""
    new = object.__new__(ndarray)
    new._host = memory
    new._device = current.device if device is None else device
    if memory.base is None:
        counts.allocations += 1
        counts.launches += 1
        counts.bytes += memory.nbytes
    return new


def wrap(x: Any) -> Any:
    """Return what a function of NumPy gave as CuPy would: no scalars, lists entry by entry."""
    kind = type(x)
    if kind is np.ndarray:
        return made(x)
    if isinstance(x, np.generic):
        return made(np.asarray(x))
    if kind is tuple or kind is list:
        return kind(map(wrap, x))
    return kind(*map(wrap, x)) if isinstance(x, tuple) else x


def host(x: Any) -> Any:
    """Return an argument as NumPy takes it; memory of the host is refused."""
    kind = type(x)
    if kind is ndarray:
        if x._device != current.device:
            check_device(x._device)
        return x._host
    if kind is tuple or kind is list:
        return kind(map(host, x))
    if isinstance(x, np.ndarray):
        raise TypeError(f"Unsupported type {kind}")
    return x
