"""Questions about traced arrays, whose answers do not change with infinitely small steps."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np

from portanet.tape.box import Box
from portanet.tape.namespace import has_box
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


def _bare(x: Any) -> Any:
    """A stand-in without memory for what is asked about its dtype and shape alone."""
    return np.broadcast_to(np.zeros((), x.dtype), x.shape) if isinstance(x, Box) else x


def _about_dtypes(function: Any) -> Callable[..., Any]:
    def body(xp: Any, *args: Any, **options: Any) -> Any:
        return function(*map(_bare, args), **options)

    return _signed(body, function)


def _plain(function: Any) -> Callable[..., Any]:
    """NumPy's own function, as one that is constant."""
    names = tuple(_parameters(function))

    def body(xp: Any, *args: Any, **options: Any) -> Any:
        # A traced array is seen only among the arguments by position.
        given = list(args)
        for name in names[len(given) :]:
            if name not in options:
                break
            given.append(options.pop(name))
        return constant(xp, function)(*map(_stacked(xp), given), **options)

    return _signed(body, function)


def _stacked(xp: Any) -> Callable[..., Any]:
    return lambda x: array(xp, x) if type(x) in (list, tuple) and has_box(x) else x


def _parameters(function: Any) -> list[str]:
    kinds = inspect.Parameter
    return [
        p.name
        for p in inspect.signature(function).parameters.values()
        if p.kind in (kinds.POSITIONAL_ONLY, kinds.POSITIONAL_OR_KEYWORD)
    ]


def _signed(body: Any, function: Any) -> Any:
    """Give a body the signature of the function that it stands for, after the namespace."""
    own = inspect.Parameter("xp", inspect.Parameter.POSITIONAL_ONLY)
    signature = inspect.signature(function)
    body.__signature__ = signature.replace(parameters=[own, *signature.parameters.values()])
    return body


_PLAIN = (
    "digitize", "isin", "lexsort", "nonzero", "ravel_multi_index", "searchsorted", "unravel_index",
)  # fmt: skip
_OF_DTYPES = (
    "can_cast", "common_type", "diag_indices_from", "iscomplexobj", "isrealobj", "min_scalar_type",
    "result_type", "tril_indices_from", "triu_indices_from",
)  # fmt: skip

FUNCTIONS: dict[str, Callable[..., Any]] = {
    **{name: _plain(getattr(np, name)) for name in _PLAIN},
    **{name: _about_dtypes(getattr(np, name)) for name in _OF_DTYPES},
    "allclose": _allclose,
    "argwhere": _argwhere,
    "around": _round,
    "array_equal": _array_equal,
    "array_equiv": _array_equiv,
    "array_repr": lambda xp, arr, *args, **options: repr(arr),
    "array_str": lambda xp, a, *args, **options: str(a),
    "fix": _fix,
    "flatnonzero": _flatnonzero,
    "iscomplex": _iscomplex,
    "isclose": _isclose,
    "isneginf": _infinite("isneginf"),
    "isposinf": _infinite("isposinf"),
    "isreal": _isreal,
    "ndim": lambda xp, a: a.ndim,
    "round": _round,
    "shape": lambda xp, a: a.shape,
    "shares_memory": lambda xp, a, b, /, max_work=-1: a is b,
    "may_share_memory": lambda xp, a, b, /, max_work=0: a is b,
    "size": _size,
}
