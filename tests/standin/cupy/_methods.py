"""The methods of arrays that are NumPy's, with the parameters that CuPy's have."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from cupy._array import host, made, wrap
from cupy._release import checked

# The parameters of the compiled methods, and of those that are the functions of their names.
METHODS = {
    "all": "axis=None, out=None, keepdims=False",
    "any": "axis=None, out=None, keepdims=False",
    "argmax": "axis=None, out=None, dtype=None, keepdims=False",
    "argmin": "axis=None, out=None, dtype=None, keepdims=False",
    "argpartition": "kth, axis=-1",
    "argsort": "axis=-1, kind=None",
    "choose": "choices, out=None, mode='raise'",
    "clip": "min=None, max=None, out=None",
    "compress": "condition, axis=None, out=None",
    "conj": "",
    "conjugate": "",
    "cumprod": "axis=None, dtype=None, out=None",
    "cumsum": "axis=None, dtype=None, out=None",
    "diagonal": "offset=0, axis1=0, axis2=1",
    "flatten": "order='C'",
    "max": "axis=None, out=None, keepdims=False",
    "mean": "axis=None, dtype=None, out=None, keepdims=False",
    "min": "axis=None, out=None, keepdims=False",
    "partition": "kth, axis=-1",
    "prod": "axis=None, dtype=None, out=None, keepdims=False",
    "ravel": "order='C'",
    "repeat": "repeats, axis=None",
    "reshape": "*shape, order='C', copy=None",
    "round": "decimals=0, out=None",
    "searchsorted": "v, side='left', sorter=None",
    "sort": "axis=-1, kind=None",
    "squeeze": "axis=None",
    "std": "axis=None, dtype=None, out=None, ddof=0, keepdims=False",
    "sum": "axis=None, dtype=None, out=None, keepdims=False",
    "swapaxes": "axis1, axis2",
    "trace": "offset=0, axis1=0, axis2=1, dtype=None, out=None",
    "transpose": "*axes",
    "var": "axis=None, dtype=None, out=None, ddof=0, keepdims=False",
}


# Threads add up parts of the terms, in float32 if these are of 16 bits: as good as pairwise sums.
ADDING = {"mean", "prod", "std", "sum", "var"}
VIEWS = {"diagonal", "ravel", "reshape", "squeeze", "swapaxes", "transpose"}
LONG = 16  # terms that NumPy may as well add one by one


def _method(name: str, parameters: str) -> Any:
    check = checked(name, parameters)
    adds, views = name in ADDING, name in VIEWS

    def method(self, *args, **options):
        check(*args, **options)
        given = {key: host(x) for key, x in options.items()}
        with np.errstate(all="ignore"), warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)
            if adds:
                done = _added(host(self), name, *map(host, args), **given)
            else:
                x = self._host if views else host(self)
                done = getattr(x, name)(*map(host, args), **given)
        if options.get("out") is not None:
            return options["out"]
        if views and done.base is not None:
            return made(done, self._device)
        return wrap(done)

    return method


def _added(x, name, axis=None, dtype=None, out=None, *rest, **options):
    """Add up as a device does: in pairs, and 16 bits in float32."""
    narrow = x.dtype.char == "e" and dtype is None
    dtype = np.float32 if narrow else dtype
    done = getattr(_relaid(x, axis), name)(axis, dtype, None, *rest, **options)
    done = done.astype(np.float16) if narrow else done
    if out is None:
        return done
    np.copyto(out, done, casting="same_kind")
    return out


def _relaid(x, axis):
    """Return an array in the order of memory in which NumPy adds along `axis` in pairs."""
    if axis is None or x.ndim < 2 or x.size <= LONG or x.dtype.kind not in "fc":
        return x
    axes = [int(a) % x.ndim for a in np.atleast_1d(axis)]
    order = [a for a in range(x.ndim) if a not in axes] + axes
    if len(order) != x.ndim:
        return x  # NumPy refuses it
    return np.ascontiguousarray(x.transpose(order)).transpose(np.argsort(order))


def add_to(kind: type) -> None:
    """Give a class of arrays all of these methods."""
    for name, parameters in METHODS.items():
        setattr(kind, name, _method(name, parameters))
