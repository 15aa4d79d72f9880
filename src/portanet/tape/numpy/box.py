"""Boxes of NumPy-like arrays: their methods, and NumPy's own functions called on them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NoReturn

import numpy as np

from portanet.errors import DTypeError, TracedValueError
from portanet.tape.box import Box
from portanet.tape.numpy import ufuncs
from portanet.tape.numpy.operands import array, function_name, refuse_out
from portanet.tape.numpy.refusals import raise_refusal
from portanet.tape.numpy.shapes import reshape, transpose
from portanet.tape.numpy.table import BODIES, BY_NAME, check_out, refuse_function


class NumPyBox(Box):
    """A traced array on which NumPy's functions and an array's usual methods work."""

    __slots__ = ()

    def __array_ufunc__(self, ufunc: Any, method: str, *args: Any, **options: Any) -> Any:
        if options.pop("out", None) is not None:
            refuse_out(ufunc)
        try:
            if method == "__call__" and not options:
                return ufuncs.function_of(self.xp, ufunc)(*args)
            return ufuncs.call(self.xp, ufunc, method, args, options)
        except Exception as error:
            own = getattr(ufunc, method)
            raise_refusal(function_name(ufunc), own, error, args, options)

    def __array_function__(self, function: Any, types: Any, args: Any, options: Any) -> Any:
        body = BODIES.get(function) or refuse_function(function)
        if options or len(args) > 1:
            check_out(body, args, options, function)
        try:
            return body(self.xp, *args, **options)
        except Exception as error:
            raise_refusal(function_name(function), function, error, args, options)

    @classmethod
    def takes(cls, function: Any) -> bool:
        return isinstance(function, np.ufunc) or function in BODIES

    def astype(
        self, dtype: Any, order: str = "K", casting: Any = "unsafe", subok: bool = True,
        copy: bool = True,
    ) -> Any:  # fmt: skip
        dtype = np.dtype(dtype)
        if not np.can_cast(self.dtype, dtype, casting):
            raise DTypeError(f"astype: {self.dtype} -> {dtype} is no cast of kind {casting!r}")
        return self.xp.astype(self, dtype, copy=copy)

    @classmethod
    def of_list(cls, x: Any) -> Any:
        return array(cls.xp, x)

    def __divmod__(self, other: Any) -> Any:
        return np.divmod(self, other)

    def __rdivmod__(self, other: Any) -> Any:
        return np.divmod(other, self)

    def copy(self, order: str = "C") -> Any:
        return self.xp.convert(self, self.dtype)

    def flatten(self, order: str = "C") -> Any:
        return self.xp.reshape(self.T if order == "F" else self, (-1,)).copy()

    def reshape(self, *shape: Any, **options: Any) -> Any:
        return reshape(self.xp, self, shape[0] if len(shape) == 1 else shape, **options)

    def transpose(self, *axes: Any) -> Any:
        if len(axes) == 1 and not isinstance(axes[0], int):
            axes = tuple(axes[0] or ())
        return transpose(self.xp, self, axes or None)

    @property
    def itemsize(self) -> int:
        return self.dtype.itemsize

    @property
    def nbytes(self) -> int:
        return self.size * self.dtype.itemsize

    @property
    def flat(self) -> NoReturn:
        raise TracedValueError("a traced array has no flat: use x.ravel()")

    def compress(self, condition: Any, axis: Any = None, out: Any = None) -> Any:
        return BY_NAME["compress"](self.xp, condition, self, axis)


def _method(name: str) -> Callable[..., Any]:
    body, full_name = BY_NAME[name], f"numpy.ndarray.{name}"

    def method(self: NumPyBox, *args: Any, **options: Any) -> Any:
        if options or len(args) > 1:
            check_out(body, (self, *args), options, full_name)
        try:
            return body(self.xp, self, *args, **options)
        except Exception as error:
            raise_refusal(full_name, _own_method(name), error, (self, *args), options)

    return method


for _name in (
    "all", "any", "argmax", "argmin", "argpartition", "argsort", "choose", "clip", "cumprod",
    "cumsum", "diagonal", "dot", "max", "mean", "min", "nonzero", "prod", "ravel", "repeat",
    "round", "searchsorted", "squeeze", "std", "sum", "swapaxes", "take", "trace", "var",
):  # fmt: skip
    setattr(NumPyBox, _name, _method(_name))
for _name in ("conj", "conjugate"):
    setattr(NumPyBox, _name, lambda self: self.xp.conj(self) if self.dtype.kind == "c" else self)


def _own_method(name: str) -> Callable[..., Any]:
    return lambda x, *args, **options: getattr(x, name)(*args, **options)


def _in_place(name: str, instead: str) -> Callable[..., NoReturn]:
    def method(self: NumPyBox, *args: Any, **options: Any) -> NoReturn:
        raise TracedValueError(
            f"numpy.ndarray.{name} writes in place, which a traced array cannot: {instead}"
        )

    return method


for _name, _instead in {
    "byteswap": "use it outside of the derivative",
    "fill": "use np.full_like(x, value)",
    "partition": "use what np.partition(x, kth) returns",
    "put": "use what pn.functional.at(x)[index].set(y) returns",
    "resize": "use np.tile and np.reshape",
    "sort": "use what np.sort(x) returns",
}.items():
    setattr(NumPyBox, _name, _in_place(_name, _instead))
