"""``x[i] = y`` on traced arrays: the name gets the array that the assignment would have made.

A function of an array library, such as SciPy's, calculates a result and then sets some elements of
it. That is right for a traced array too where nothing else can see the difference: `x` is a result
in memory of its own, as its card says, and no view of it is alive. Nothing is written: all names
of the array get the new value with its derivatives, and what was calculated before keeps the old.

Every trace sees every call, and settles the arrays that a call may look at (`settle`): the class
of an array says whether it may be written into. An index alone is forgiven, for ``x[i] += y``: the
array keeps the last part that was taken out of it, and may be written into once nobody else holds
that, or looks at it in turn.
"""

from __future__ import annotations

import functools
import math
import sys
from typing import Any

import numpy as np

from portanet.errors import DTypeError, IndexRangeError, ShapeError, TracedValueError
from portanet.tape.box import Box, device_of, settle, strip, taken_out


@functools.cache
def fresh(kind: type[Box]) -> type[Box]:
    """Return the class of the arrays of a box class that may be written into."""
    own = {"__getitem__": _part, "__setitem__": _assign, "settled": kind}
    return type(f"Fresh_{kind.__name__}", (kind,), {"__slots__": (), **own})


@functools.cache
def _unseen(kind: type[Box]) -> type[Box]:
    """Return the class of parts of an array at which nothing looks: it is `kind` once settled."""
    return type(f"Unseen_{kind.__name__}", (kind,), {"__slots__": (), "settled": kind})


def classes(kind: type[Box]) -> tuple[type[Box], ...]:
    """Return a box class with those that its arrays are of as long as they may be written into."""
    return kind, fresh(kind), _unseen(kind)


def _part(x: Any, key: Any) -> Any:
    free, kind = _is_free(x), x.settled
    part = kind.__getitem__(x, key)
    if free and isinstance(part, Box):
        part.__class__ = _unseen(type(part))
        x.taken = part
        x.__class__ = fresh(kind)
    return part


def _assign(x: Any, key: Any, y: Any) -> None:
    if y is getattr(x, "taken", None) and y.settled is not None:
        y = y.settled(y.value, y.owner, y.note)
    elif not _is_free(x):
        settle(x)
        x[key] = y
    x.become(written(x, key, y), "x[index] = y")


def _is_free(x: Any) -> bool:
    """Whether no part of `x` is alive: the only one to hold the last is `x`."""
    part = getattr(x, "taken", None)
    if part is None:
        return True
    return part.settled is not None and sys.getrefcount(part) <= _OWN_REFERENCES


_OWN_REFERENCES = 3
"""Those to a part in the question whether others hold it: the slot, the name and the argument."""


def written(x: Any, key: Any, y: Any) -> Any:
    """Return what ``x[key] = y`` makes of `x`, as NumPy understands it.

    Parameters
    ----------
    x : array
    key : index
        Of integers, slices, None, an ellipsis, lists and arrays. One that differs from entry to
        entry or from call to call can only be a mask of the shape of `x`.
    y : array or number
        It broadcasts to ``x[key]``, and its dtype is of the kind of that of `x` or below.

    Raises
    ------
    DTypeError, ShapeError
        If `y` cannot be written there.
    IndexRangeError
        If there is nothing at `key`.
    TracedValueError
        If `key` differs from entry to entry or from call to call, and is no such mask.
    """
    xp = x.xp
    key = _plain(key)
    y = _operand(xp, x, y)
    if _is_mask_of(key, x.shape) and y.ndim == 0:
        return xp.where(key, y, x)
    sources = _sources(key, x.shape, tuple(y.shape))
    if sources is None:
        return x
    device = device_of(x)
    hit = xp.raw.asarray(sources >= 0, device=device)
    if y.ndim == 0:
        return xp.where(hit, y, x)
    places = xp.raw.asarray(np.maximum(sources, 0).ravel(), device=device)
    moved = xp.take(xp.reshape(y, (-1,)), places, axis=0)
    return xp.where(hit, xp.reshape(moved, x.shape), x)


def _plain(key: Any) -> Any:
    """Return an index without the derivatives of its parts."""
    if isinstance(key, tuple):
        return tuple(map(_plain, key))
    return taken_out(strip(key))


def _is_mask_of(key: Any, shape: tuple[int, ...]) -> bool:
    if isinstance(key, tuple) and len(key) == 1:
        (key,) = key
    dtype = getattr(key, "dtype", None)
    is_mask = dtype is not None and str(dtype).endswith("bool")
    return is_mask and tuple(getattr(key, "shape", ())) == shape


def _operand(xp: Any, x: Any, y: Any) -> Any:
    """Return `y` as an array of the dtype of `x`."""
    plain = xp.operands.check(y)
    if not hasattr(plain, "dtype"):
        kind = next((k for k in _KINDS if isinstance(plain, k)), None)
        if kind is None or not xp.isdtype(x.dtype, _KINDS[kind]):
            raise DTypeError(f"x[index] = y: y is {y!r}, which {x.dtype} cannot hold")
        return xp.raw.full((), plain, dtype=x.dtype, device=device_of(x))
    if plain.dtype == x.dtype:
        return plain
    below = [kinds for kinds in _KINDS.values() if xp.isdtype(plain.dtype, kinds[0])]
    if not below or not xp.isdtype(x.dtype, below[0]):
        raise DTypeError(
            f"x[index] = y keeps the dtype of x: {plain.dtype} cannot be written into {x.dtype}: "
            "convert one of them first"
        )
    return xp.astype(plain, x.dtype)


_KINDS: dict[type, tuple[str, ...]] = {
    bool: ("bool", "integral", "real floating", "complex floating"),
    int: ("integral", "real floating", "complex floating"),
    float: ("real floating", "complex floating"),
    complex: ("complex floating",),
}
"""The kinds of dtypes that can hold numbers of a type; the first is that of the type."""


def _sources(key: Any, shape: tuple[int, ...], given: tuple[int, ...]) -> Any:
    """Return for each element of an array which of `y` is written into it, -1 for none.

    Of several that are written into one, the last one stays. None says that none is written.
    """
    size = math.prod(shape)
    try:
        places = np.arange(size).reshape(shape)[_host(key)]
    except IndexError as error:
        raise IndexRangeError(f"x[index] = y: {error}") from error
    while len(given) > places.ndim and given[0] == 1:
        given = given[1:]
    try:
        numbers = np.broadcast_to(np.arange(math.prod(given)).reshape(given), places.shape)
    except ValueError:
        raise ShapeError(
            f"x[index] = y: y broadcasts to x[index]: {given}, {places.shape}"
        ) from None
    if not places.size:
        return None
    sources = np.full(size, -1)
    sources[places.ravel()] = numbers.ravel()
    return sources.reshape(shape)


def _host(key: Any) -> Any:
    """Return an index whose arrays are NumPy's."""
    if isinstance(key, tuple):
        return tuple(map(_host, key))
    if isinstance(key, Box):
        raise TracedValueError(
            "x[index] = y: the index is another one in each entry of a batch or in each call of a "
            "recorded function, which only a mask of the shape of x can be, with a number to "
            "write: choose element by element with xp.where, or use "
            "pn.functional.at(x)[index].set(y)"
        )
    return np.asarray(key) if hasattr(key, "shape") else key
