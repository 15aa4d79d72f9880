"""NumPy's universal functions: which of ours each is, and their reductions and outer products."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable
from typing import Any

import numpy as np

from portanet.errors import ShapeError, TracedValueError
from portanet.tape.numpy import elementwise, special
from portanet.tape.numpy.operands import (
    HARMLESS,
    NOT_GIVEN,
    array,
    axes,
    constant,
    function_name,
    one_axis,
    refuse,
    unruled,
)  # fmt: skip
from portanet.tape.numpy.reductions import FUNCTIONS as _REDUCTIONS
from portanet.tape.ops.table import CARDS
from portanet.tape.rule import Constant

_OTHER_NAMES: dict[str, str] = {
    "absolute": "abs",
    "arccos": "acos",
    "arccosh": "acosh",
    "arcsin": "asin",
    "arcsinh": "asinh",
    "arctan": "atan",
    "arctan2": "atan2",
    "arctanh": "atanh",
    "conjugate": "conj",
    "fabs": "abs",
    "invert": "bitwise_invert",
    "left_shift": "bitwise_left_shift",
    "power": "pow",
    "right_shift": "bitwise_right_shift",
    "rint": "round",
    "true_divide": "divide",
}
_OPERATORS = {"add", "subtract", "multiply", "divide", "matmul", "remainder", "floor_divide"}
_SAME_NAMES = {
    "ceil", "copysign", "cos", "cosh", "equal", "exp", "expm1", "floor", "greater",
    "greater_equal", "hypot", "isfinite", "isinf", "isnan", "less", "less_equal", "log", "log10",
    "log1p", "log2", "logaddexp", "logical_and", "logical_not", "logical_or", "logical_xor",
    "maximum", "minimum", "negative", "nextafter", "not_equal", "positive", "reciprocal", "sign",
    "signbit", "sin", "sinh", "sqrt", "square", "tan", "tanh", "trunc", "vecdot",
    "bitwise_and", "bitwise_or", "bitwise_xor",
}  # fmt: skip
_STANDARD = _SAME_NAMES.union(_OTHER_NAMES.values())
_CONSTANTS = {"bitwise_count", "gcd", "lcm"}
_REDUCE = {
    "add": "sum", "multiply": "prod", "maximum": "max", "minimum": "min",
    "logical_and": "all", "logical_or": "any",
}  # fmt: skip
_ACCUMULATE = {"add": "cumulative_sum", "multiply": "cumulative_prod"}


def _divmod(xp: Any, a: Any, b: Any) -> tuple[Any, Any]:
    return xp.operators.floor_divide(a, b), xp.operators.remainder(a, b)


def _modf(xp: Any, x: Any) -> tuple[Any, Any]:
    x = xp.astype(x, np.modf(np.empty(0, x.dtype))[0].dtype)
    return elementwise.native(xp, elementwise.fraction)(x), xp.trunc(x)


def _frexp(xp: Any, x: Any) -> tuple[Any, Any]:
    _, exponent = constant(xp, np.frexp)(x)
    return elementwise.native(xp, np.ldexp)(x, -exponent), exponent


def _matvec(xp: Any, a: Any, b: Any) -> Any:
    return xp.matmul(array(xp, a), array(xp, b)[..., None])[..., 0]


def _vecmat(xp: Any, a: Any, b: Any) -> Any:
    a = array(xp, a)
    return xp.matmul(xp.conj(a)[..., None, :], array(xp, b))[..., 0, :]


_COMPOSED: dict[str, Callable[..., Any]] = {
    "divmod": _divmod,
    "frexp": _frexp,
    "matvec": _matvec,
    "modf": _modf,
    "vecmat": _vecmat,
}


@functools.cache
def function_of(xp: Any, ufunc: Any) -> Callable[..., Any]:
    """Return the traced function that a universal function is."""
    full_name = function_name(ufunc)
    home, _, name = full_name.rpartition(".")
    if ufunc in elementwise.UFUNCS:
        return elementwise.native(xp, ufunc)
    if home == "scipy.special":
        function = special.function_of(xp, ufunc)
        return function if ufunc.nin <= 2 else _taking_lists(xp, function)
    name = _OTHER_NAMES.get(name, name)
    if home == "numpy" and name in _OPERATORS:
        return getattr(xp.operators, name)
    if home == "numpy" and name in _STANDARD:
        function = getattr(xp, name)
        takes_lists = ufunc.nin == 1 or not isinstance(CARDS[name].rule, Constant)
        return function if takes_lists else _taking_lists(xp, function)
    if home == "numpy" and name in _COMPOSED:
        return functools.partial(_COMPOSED[name], xp)
    if home == "numpy" and name in _CONSTANTS:
        return _taking_lists(xp, constant(xp, ufunc))
    return unruled(xp, ufunc, "use a function of pn.array_namespace(x)")


def _taking_lists(xp: Any, function: Callable[..., Any]) -> Callable[..., Any]:
    """Let a function that is no primitive of two arrays take lists beside traced ones."""

    def taking(*args: Any) -> Any:
        return function(*(array(xp, x) if type(x) in (list, tuple) else x for x in args))

    return taking


def call(xp: Any, ufunc: Any, method: str, args: Any, options: dict[str, Any]) -> Any:
    """Call one of the methods of a universal function, or the function itself with options."""
    name = function_name(ufunc)
    if method == "at":
        raise TracedValueError(
            f"{name}.at writes in place: use what pn.functional.at(x)[index] returns, such as "
            ".add(y)"
        )
    if method not in _METHODS:
        refuse(f"{name}.{method}", f"call {name} itself, or its reduce, accumulate or outer")
    return _METHODS[method](xp, ufunc, *args, **options)


def _with_options(xp: Any, ufunc: Any, *args: Any, dtype: Any = None, **options: Any) -> Any:
    left = {k for k, v in options.items() if k not in HARMLESS and not (k == "where" and v is True)}
    if left:
        refuse(f"{function_name(ufunc)} with {sorted(left)}", "choose with np.where afterwards")
    if dtype is not None:
        args = tuple(xp.astype(array(xp, x), np.dtype(dtype)) for x in args)
    return function_of(xp, ufunc)(*args)


def _reduce(
    xp: Any, ufunc: Any, a: Any, axis: Any = 0, dtype: Any = None, out: Any = None,
    keepdims: bool = False, initial: Any = NOT_GIVEN, where: Any = True,
) -> Any:  # fmt: skip
    a, known = array(xp, a), _REDUCE.get(ufunc.__name__)
    if known in ("all", "any") and initial is not NOT_GIVEN:
        known = None
    if known is not None:
        typed = a if dtype is None else xp.astype(a, np.dtype(dtype))
        options = {} if where is True else {"where": where}
        if initial is not NOT_GIVEN:
            options["initial"] = initial
        return _REDUCTIONS[known](xp, typed, axis=axis, keepdims=keepdims, **options)
    if where is not True:
        refuse(f"{function_name(ufunc)}.reduce with where", "choose with np.where before")
    ufunc.reduce(np.ones((1,) * a.ndim, a.dtype), axis=axes(axis))  # NumPy's own refusals
    rows, reduced = _rows(xp, a, axis, dtype)
    if initial is not NOT_GIVEN and initial is not None:
        rows = [initial, *rows]
    if not rows:
        raise ShapeError(f"{function_name(ufunc)}.reduce of nothing needs an initial value")
    y = functools.reduce(function_of(xp, ufunc), rows)
    if not keepdims:
        return y
    return xp.reshape(y, tuple(1 if i in reduced else n for i, n in enumerate(a.shape)))


def _rows(xp: Any, a: Any, axis: Any, dtype: Any) -> tuple[list[Any], tuple[int, ...]]:
    """Return the slices along one axis, or along several as if they were one."""
    axis = axes(axis)
    chosen = range(a.ndim) if axis is None else axis if isinstance(axis, tuple) else (axis,)
    reduced = tuple(one_axis("reduce", i, a.ndim) for i in chosen)
    kept = tuple(i for i in range(a.ndim) if i not in reduced)
    moved = xp.permute_dims(a, (*reduced, *kept))
    moved = xp.reshape(moved, (-1, *(a.shape[i] for i in kept)))
    if dtype is not None:
        moved = xp.astype(moved, np.dtype(dtype))
    return [moved[i, ...] for i in range(moved.shape[0])], reduced


def _accumulate(
    xp: Any, ufunc: Any, array_: Any, axis: int = 0, dtype: Any = None, out: Any = None
) -> Any:
    a = array(xp, array_)
    if dtype is not None:
        a = xp.astype(a, np.dtype(dtype))
    axis = one_axis("accumulate", axis, a.ndim)
    if ufunc.__name__ in _ACCUMULATE:
        return getattr(xp, _ACCUMULATE[ufunc.__name__])(a, axis=axis)
    rows, _ = _rows(xp, a, axis, None)
    return xp.stack(list(itertools.accumulate(rows, function_of(xp, ufunc))), axis=axis)


def _outer(xp: Any, ufunc: Any, a: Any, b: Any, **options: Any) -> Any:
    a, b = array(xp, a), array(xp, b)
    return _with_options(xp, ufunc, xp.reshape(a, (*a.shape, *(1,) * b.ndim)), b, **options)


_METHODS = {
    "__call__": _with_options,
    "accumulate": _accumulate,
    "outer": _outer,
    "reduce": _reduce,
}
