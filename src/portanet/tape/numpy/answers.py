"""Questions about traced arrays, whose answers do not change with infinitely small steps."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from portanet.tape.box import Box
from portanet.tape.numpy.operands import array, constant


def _size(xp: Any, a: Any, axis: Any = None) -> int:
    if axis is None:
        return a.size
    return int(np.prod([a.shape[i] for i in (axis if isinstance(axis, tuple) else (axis,))]))


def _isclose(
    xp: Any, a: Any, b: Any, rtol: Any = 1e-05, atol: Any = 1e-08, equal_nan: bool = False
) -> Any:
    return constant(xp, np.isclose)(array(xp, a), array(xp, b), rtol, atol, equal_nan)


def _allclose(
    xp: Any, a: Any, b: Any, rtol: Any = 1e-05, atol: Any = 1e-08, equal_nan: bool = False
) -> Any:
    return xp.all(_isclose(xp, a, b, rtol, atol, equal_nan))


def _array_equal(xp: Any, a1: Any, a2: Any, equal_nan: bool = False) -> Any:
    a1, a2 = array(xp, a1), array(xp, a2)
    return False if a1.shape != a2.shape else xp.all(_same(xp, a1, a2, equal_nan))


def _array_equiv(xp: Any, a1: Any, a2: Any) -> Any:
    a1, a2 = array(xp, a1), array(xp, a2)
    try:
        np.broadcast_shapes(a1.shape, a2.shape)
    except ValueError:
        return False
    return xp.all(_same(xp, a1, a2, equal_nan=False))


def _same(xp: Any, a: Any, b: Any, equal_nan: bool) -> Any:
    same = xp.constants.equal(a, b)
    if not equal_nan:
        return same
    nans = xp.constants.logical_and(xp.constants.isnan(a), xp.constants.isnan(b))
    return xp.constants.logical_or(same, nans)


def _flatnonzero(xp: Any, a: Any) -> Any:
    return constant(xp, np.nonzero)(xp.reshape(a, (-1,)))[0]


def _argwhere(xp: Any, a: Any) -> Any:
    return xp.stack(list(constant(xp, np.nonzero)(a)), axis=-1)


def _round(xp: Any, a: Any, decimals: int = 0, out: Any = None) -> Any:
    return xp.round(a) if decimals == 0 else constant(xp, np.round)(a, decimals)


def _fix(xp: Any, x: Any, out: Any = None) -> Any:
    return xp.trunc(x)


def _infinite(name: str) -> Callable[..., Any]:
    def body(xp: Any, x: Any, out: Any = None) -> Any:
        return xp.constants.equal(x, np.inf if name == "isposinf" else -np.inf)

    return body


def _isreal(xp: Any, x: Any) -> Any:
    return xp.constants.equal(xp.constants.imag(x), 0) if x.dtype.kind == "c" else _true(xp, x)


def _iscomplex(xp: Any, x: Any) -> Any:
    return xp.constants.logical_not(_isreal(xp, x))


def _true(xp: Any, x: Any) -> Any:
    return xp.constants.ones_like(x, dtype=np.dtype(bool))


def _digitize(xp: Any, x: Any, bins: Any, right: bool = False) -> Any:
    return constant(xp, np.digitize)(array(xp, x), array(xp, bins), right)


def _isin(
    xp: Any, element: Any, test_elements: Any, assume_unique: bool = False, invert: bool = False, *,
    kind: Any = None,
) -> Any:  # fmt: skip
    tests = array(xp, test_elements)
    return constant(xp, np.isin)(array(xp, element), tests, assume_unique, invert, kind=kind)


def _lexsort(xp: Any, keys: Any, axis: int = -1) -> Any:
    return constant(xp, np.lexsort)(array(xp, keys), axis)


def _nonzero(xp: Any, a: Any) -> Any:
    return constant(xp, np.nonzero)(a)


def _ravel_multi_index(
    xp: Any, multi_index: Any, dims: Any, mode: Any = "raise", order: str = "C"
) -> Any:
    parts = xp.broadcast_arrays(*(array(xp, part) for part in multi_index))
    return constant(xp, _of_rows)(xp.stack(list(parts)), dims, mode, order)


def _of_rows(rows: Any, dims: Any, mode: Any, order: Any) -> Any:
    return np.ravel_multi_index(tuple(rows), dims, mode, order)


def _searchsorted(xp: Any, a: Any, v: Any, side: Any = "left", sorter: Any = None) -> Any:
    return constant(xp, np.searchsorted)(array(xp, a), array(xp, v), side, sorter)


def _unravel_index(xp: Any, indices: Any, shape: Any, order: Any = "C") -> Any:
    return constant(xp, np.unravel_index)(indices, shape, order)


def _bare(x: Any) -> Any:
    """A stand-in without memory for what is asked about its dtype and shape alone."""
    return np.broadcast_to(np.zeros((), x.dtype), x.shape) if isinstance(x, Box) else x


def _can_cast(xp: Any, from_: Any, to: Any, casting: Any = "safe") -> bool:
    return np.can_cast(_bare(from_), to, casting)


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "allclose": _allclose,
    "argwhere": _argwhere,
    "around": _round,
    "array_equal": _array_equal,
    "array_equiv": _array_equiv,
    "array_repr": lambda xp, arr, *args, **options: repr(arr),
    "array_str": lambda xp, a, *args, **options: str(a),
    "can_cast": _can_cast,
    "common_type": lambda xp, *arrays: np.common_type(*map(_bare, arrays)),
    "diag_indices_from": lambda xp, arr: np.diag_indices_from(_bare(arr)),
    "digitize": _digitize,
    "fix": _fix,
    "flatnonzero": _flatnonzero,
    "iscomplex": _iscomplex,
    "iscomplexobj": lambda xp, x: x.dtype.kind == "c",
    "isclose": _isclose,
    "isin": _isin,
    "isneginf": _infinite("isneginf"),
    "isposinf": _infinite("isposinf"),
    "isreal": _isreal,
    "isrealobj": lambda xp, x: x.dtype.kind != "c",
    "lexsort": _lexsort,
    "may_share_memory": lambda xp, a, b, /, max_work=0: a is b,
    "min_scalar_type": lambda xp, a, /: np.min_scalar_type(_bare(a)),
    "ndim": lambda xp, a: a.ndim,
    "nonzero": _nonzero,
    "ravel_multi_index": _ravel_multi_index,
    "result_type": lambda xp, *arrays_and_dtypes: np.result_type(*map(_bare, arrays_and_dtypes)),
    "round": _round,
    "searchsorted": _searchsorted,
    "shape": lambda xp, a: a.shape,
    "shares_memory": lambda xp, a, b, /, max_work=-1: a is b,
    "size": _size,
    "tril_indices_from": lambda xp, arr, k=0: np.tril_indices_from(_bare(arr), k),
    "triu_indices_from": lambda xp, arr, k=0: np.triu_indices_from(_bare(arr), k),
    "unravel_index": _unravel_index,
}
