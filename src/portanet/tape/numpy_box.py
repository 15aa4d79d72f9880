"""Boxes of NumPy-like arrays: their methods, and NumPy's own functions called on them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from portanet.errors import DTypeError, NoDerivativeError, TracedValueError
from portanet.tape.box import Box
from portanet.tape.numpy_linalg import FUNCTIONS as _LINALG

_UFUNCS: dict[Any, str] = {
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
    "power": "pow",
    "rint": "round",
    "true_divide": "divide",
}
_OPERATORS = {"add", "subtract", "multiply", "divide", "pow", "matmul", "remainder", "floor_divide"}


def _sum_like(name: str) -> Callable[..., Any]:
    def function(xp: Any, a: Any, axis: Any = None, **options: Any) -> Any:
        return getattr(xp, name)(a, axis=axis, **options)

    return function


def _spread(name: str) -> Callable[..., Any]:
    def function(xp: Any, a: Any, axis: Any = None, *, ddof: float = 0, **options: Any) -> Any:
        return getattr(xp, name)(a, axis=axis, **{"correction": ddof, **options})

    return function


def _transpose(xp: Any, a: Any, axes: Any = None) -> Any:
    return xp.permute_dims(a, tuple(range(a.ndim))[::-1] if axes is None else tuple(axes))


def _dot(xp: Any, a: Any, b: Any) -> Any:
    if a.ndim == 0 or b.ndim == 0:
        return xp.multiply(a, b)
    return xp.matmul(a, b) if b.ndim <= 2 else xp.tensordot(a, b, axes=((-1,), (-2,)))


def _reshape(xp: Any, a: Any, shape: Any, **options: Any) -> Any:
    return xp.reshape(a, (shape,) if isinstance(shape, int) else tuple(shape), **options)


def _in_order(a: Any, order: str) -> Any:
    """Flatten an array as it is read row by row, or by columns."""
    return a.xp.reshape(a.T if order == "F" else a, (-1,))


def _expand_dims(xp: Any, a: Any, axis: int) -> Any:
    return xp.expand_dims(a, axis=axis)


def _squeeze(xp: Any, a: Any, axis: Any = None) -> Any:
    if axis is None:
        axis = tuple(i for i, n in enumerate(a.shape) if n == 1)
    return xp.squeeze(a, axis=axis)


def _concatenate(xp: Any, arrays: Any, axis: Any = 0) -> Any:
    return xp.concat(list(arrays), axis=axis)


def _stack(xp: Any, arrays: Any, axis: int = 0) -> Any:
    return xp.stack(list(arrays), axis=axis)


def _take(xp: Any, a: Any, indices: Any, axis: int | None = None) -> Any:
    if axis is None:
        a, axis = xp.reshape(a, (-1,)), 0
    return xp.take(a, indices, axis=axis)


def _cumulative(name: str) -> Callable[..., Any]:
    def function(xp: Any, a: Any, axis: int | None = None, **options: Any) -> Any:
        if axis is None:
            a, axis = xp.reshape(a, (-1,)), 0
        return getattr(xp, name)(a, axis=axis, **options)

    return function


def _sort(xp: Any, a: Any, axis: int | None = -1) -> Any:
    if axis is None:
        a, axis = xp.reshape(a, (-1,)), -1
    return xp.sort(a, axis=axis)


_FUNCTIONS: dict[str, Callable[..., Any]] = {
    **_LINALG,
    **{name: _sum_like(name) for name in ("sum", "prod", "mean", "argmax", "argmin", "all", "any")},
    **{name: _sum_like(name) for name in ("max", "min", "count_nonzero")},
    "amax": _sum_like("max"),
    "amin": _sum_like("min"),
    "var": _spread("var"),
    "std": _spread("std"),
    "cumsum": _cumulative("cumulative_sum"),
    "cumprod": _cumulative("cumulative_prod"),
    "concatenate": _concatenate,
    "stack": _stack,
    "dot": _dot,
    "expand_dims": _expand_dims,
    "ravel": lambda xp, a: xp.reshape(a, (-1,)),
    "reshape": _reshape,
    "sort": _sort,
    "squeeze": _squeeze,
    "take": _take,
    "transpose": _transpose,
    **{
        name: lambda xp, *args, _name=name, **options: getattr(xp, _name)(*args, **options)
        for name in (
            "argsort", "broadcast_arrays", "broadcast_to", "clip", "diff", "flip", "imag",
            "isclose", "matrix_transpose", "meshgrid", "moveaxis", "ones_like", "real", "repeat",
            "roll", "tensordot", "tile", "tril", "triu", "vecdot", "where", "zeros_like",
        )
    },
}  # fmt: skip


class NumPyBox(Box):
    """A traced array on which NumPy's functions and an array's usual methods work."""

    __slots__ = ()

    def __array_ufunc__(self, ufunc: Any, method: str, *args: Any, **options: Any) -> Any:
        if options.pop("out", None) is not None:
            raise TracedValueError(
                f"numpy.{ufunc.__name__} cannot write a traced result into out=: "
                "use what it returns"
            )
        name: Any = _UFUNCS.get(ufunc.__name__, ufunc.__name__)
        if method != "__call__" or options:
            raise NoDerivativeError(
                f"numpy.{ufunc.__name__}.{method} with {sorted(options)} has no derivative rule: "
                "use the reductions of the namespace, such as xp.sum"
            )
        space = self.xp.operators if name in _OPERATORS else self.xp
        function = getattr(space, name, None)
        if function is None:
            raise NoDerivativeError(
                f"numpy.{ufunc.__name__} has no derivative rule: use a function of "
                "pn.array_namespace(x)"
            )
        return function(*args)

    def __array_function__(self, function: Any, types: Any, args: Any, options: Any) -> Any:
        name = f"{function.__module__}.{function.__name__}".removeprefix("numpy.")
        if name not in _FUNCTIONS:
            raise NoDerivativeError(
                f"numpy.{name} has no derivative rule: use a function of pn.array_namespace(x)"
            )
        return _FUNCTIONS[name](self.xp, *args, **options)

    def astype(
        self, dtype: Any, order: str = "K", casting: Any = "unsafe", subok: bool = True,
        copy: bool = True,
    ) -> Any:  # fmt: skip
        dtype = np.dtype(dtype)
        if not np.can_cast(self.dtype, dtype, casting):
            raise DTypeError(f"astype: {self.dtype} -> {dtype} is no cast of kind {casting!r}")
        return self.xp.astype(self, dtype, copy=copy)

    def copy(self, order: str = "C") -> Any:
        return self.xp.convert(self, self.dtype)

    def flatten(self, order: str = "C") -> Any:
        return _in_order(self, order).copy()

    def reshape(self, *shape: Any) -> Any:
        return _reshape(self.xp, self, shape[0] if len(shape) == 1 else shape)

    def transpose(self, *axes: Any) -> Any:
        if len(axes) == 1 and not isinstance(axes[0], int):
            axes = tuple(axes[0] or ())
        return _transpose(self.xp, self, axes or None)


def _method(name: str) -> Callable[..., Any]:
    def method(self: NumPyBox, *args: Any, **options: Any) -> Any:
        return _FUNCTIONS[name](self.xp, self, *args, **options)

    return method


for _name in (
    "all", "any", "argmax", "argmin", "clip", "cumprod", "cumsum", "dot", "max", "mean", "min",
    "prod", "ravel", "repeat", "squeeze", "std", "sum", "take", "var",
):  # fmt: skip
    setattr(NumPyBox, _name, _method(_name))
setattr(NumPyBox, "conj", lambda self: self.xp.conj(self))  # noqa: B010
