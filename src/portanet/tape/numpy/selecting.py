"""Elements taken by index, by condition, by bound and by order."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from portanet.errors import ArgumentError
from portanet.tape.box import strip
from portanet.tape.numpy.operands import (
    HARMLESS,
    NOT_GIVEN,
    along,
    array,
    constant,
    flat,
    refuse,
    strictly_along,
)


def take(
    xp: Any, a: Any, indices: Any, axis: Any = None, out: Any = None, mode: str = "raise"
) -> Any:
    a, axis = along(xp, a, axis)
    indices = strip(array(xp, indices))
    if mode == "wrap":
        indices = indices % a.shape[axis]
    elif mode == "clip":
        indices = xp.clip(indices, 0, a.shape[axis] - 1)
    if indices.ndim == 1:
        return xp.take(a, indices, axis=axis)
    taken = xp.take(a, xp.reshape(indices, (-1,)), axis=axis)
    return xp.reshape(taken, (*a.shape[:axis], *indices.shape, *a.shape[axis + 1 :]))


def take_along_axis(xp: Any, arr: Any, indices: Any, axis: Any = -1) -> Any:
    arr, axis = strictly_along(xp, arr, axis)
    return xp.take_along_axis(arr, array(xp, indices), axis=axis)


def compress(xp: Any, condition: Any, a: Any, axis: Any = None, out: Any = None) -> Any:
    a, axis = along(xp, a, axis)
    (chosen,) = constant(xp, np.nonzero)(array(xp, condition))
    return xp.take(a, chosen, axis=axis)


def extract(xp: Any, condition: Any, arr: Any) -> Any:
    return compress(xp, flat(xp, condition), flat(xp, arr))


def sort(
    xp: Any, a: Any, axis: Any = -1, kind: Any = None, order: Any = None, *, stable: Any = None
) -> Any:
    a, axis = strictly_along(xp, a, axis)
    return xp.sort(a, axis=axis)


def argsort(
    xp: Any, a: Any, axis: Any = -1, kind: Any = None, order: Any = None, *, stable: Any = None
) -> Any:
    a, axis = along(xp, a, axis)
    return xp.argsort(a, axis=axis, stable=bool(stable) or kind in ("stable", "mergesort"))


def partition(
    xp: Any, a: Any, kth: Any, axis: Any = -1, kind: str = "introselect", order: Any = None
) -> Any:
    a, axis = strictly_along(xp, a, axis)
    places = argpartition(xp, a, kth, axis, kind)
    return xp.take_along_axis(a, places, axis=axis)


def argpartition(
    xp: Any, a: Any, kth: Any, axis: Any = -1, kind: str = "introselect", order: Any = None
) -> Any:
    a, axis = along(xp, a, axis)
    return constant(xp, np.argpartition)(a, kth, axis, kind)


def clip(
    xp: Any, a: Any, a_min: Any = NOT_GIVEN, a_max: Any = NOT_GIVEN, out: Any = None, *,
    min: Any = NOT_GIVEN, max: Any = NOT_GIVEN, **kwargs: Any,
) -> Any:  # fmt: skip
    if left := kwargs.keys() - HARMLESS:
        refuse(f"numpy.clip with {sorted(left)}", "choose with np.where afterwards")
    low, high = (new if old is NOT_GIVEN else old for old, new in ((a_min, min), (a_max, max)))
    bounds = [None if b is NOT_GIVEN or b is None else _weak(xp, b) for b in (low, high)]
    a = array(xp, a)
    given = [getattr(bound, "dtype", bound) for bound in bounds if bound is not None]
    common = np.result_type(a.dtype, *given)
    return xp.clip(a if a.dtype == common else xp.astype(a, common), *bounds)


def _weak(xp: Any, x: Any) -> Any:
    """Return an operand as an array, but a plain number as it is: it decides no dtype."""
    return x if isinstance(x, bool | int | float | complex) else array(xp, x)


def where(xp: Any, condition: Any, x: Any = None, y: Any = None, /) -> Any:
    condition = array(xp, condition)
    if x is None and y is None:
        return constant(xp, np.nonzero)(condition)
    x, y = _weak(xp, x), _weak(xp, y)
    if condition.dtype != bool:
        condition = condition != 0
    return xp.where(condition, x, y)


def select(xp: Any, condlist: Any, choicelist: Any, default: Any = 0) -> Any:
    if len(condlist) != len(choicelist) or not condlist:
        raise ArgumentError(
            f"numpy.select: len(condlist) == len(choicelist) >= 1: {len(condlist)}, "
            f"{len(choicelist)}"
        )
    y, *choices = (_weak(xp, choice) for choice in (default, *choicelist))
    common = np.result_type(*(getattr(choice, "dtype", choice) for choice in (y, *choices)))
    for condition, choice in zip(reversed(condlist), reversed(choices), strict=True):
        y = xp.where(array(xp, condition), choice, y)
    return y if y.dtype == common else xp.astype(y, common)


def choose(xp: Any, a: Any, choices: Any, out: Any = None, mode: str = "raise") -> Any:
    index, n = array(xp, a), len(choices)
    if index.dtype.kind == "b":
        index = xp.astype(index, np.dtype(np.int64))
    if mode == "wrap":
        index = index % n
    elif mode == "clip":
        index = xp.clip(index, 0, n - 1)
    parts = xp.broadcast_arrays(index, *(array(xp, choice) for choice in choices))
    table = xp.stack(list(parts[1:]))
    return xp.take_along_axis(table, parts[0][None, ...], axis=0)[0, ...]


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "argpartition": argpartition,
    "argsort": argsort,
    "choose": choose,
    "clip": clip,
    "compress": compress,
    "extract": extract,
    "partition": partition,
    "select": select,
    "sort": sort,
    "take": take,
    "take_along_axis": take_along_axis,
    "where": where,
}
