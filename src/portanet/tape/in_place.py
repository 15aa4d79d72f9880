"""``a += b`` on traced arrays, which means what it means on an array of the library.

The array that `a` names gets the result, so that its other names show it too; its shape and its
dtype stay. The memory of the caller is never written, nor that of a view: a name that looks at
part of `a`, or of which `a` is a part, keeps what it had.

Where the library has a number that cannot be written, as NumPy has for no dimension, the name gets
another one.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

from portanet.errors import DTypeError, ShapeError
from portanet.tape.box import Box, at_hand, device_of

_OPERATORS = {
    "add": ("add", "+"),
    "sub": ("subtract", "-"),
    "mul": ("multiply", "*"),
    "truediv": ("divide", "/"),
    "floordiv": ("floor_divide", "//"),
    "mod": ("remainder", "%"),
    "pow": ("pow", "**"),
    "matmul": ("matmul", "@"),
    "and": ("bitwise_and", "&"),
    "or": ("bitwise_or", "|"),
    "xor": ("bitwise_xor", "^"),
    "lshift": ("bitwise_left_shift", "<<"),
    "rshift": ("bitwise_right_shift", ">>"),
}


def set_in_place(box: type[Box], operators: Any) -> None:
    """Give a box class the operators that assign."""
    for symbol, (name, sign) in _OPERATORS.items():
        setattr(box, f"__i{symbol}__", _in_place(f"__i{symbol}__", getattr(operators, name), sign))


def _in_place(method: str, function: Callable[..., Any], sign: str) -> Callable[..., Any]:
    plain = getattr(operator, method)

    def assign(self: Box, other: Any) -> Any:
        result = function(self, other)
        if not hasattr(type(at_hand(self)), method):
            return result
        if result.shape != self.shape:
            raise ShapeError(
                f"a {sign}= b keeps the shape of a: {result.shape} != {self.shape}: "
                f"write a = a {sign} b"
            )
        if result.dtype != self.dtype:
            _check_cast(plain, self, other, sign)
            result = self.xp.astype(result, self.dtype)
        self.become(result, f"a {sign}= b")
        return self

    return assign


def _check_cast(plain: Callable[..., Any], a: Box, b: Any, sign: str) -> None:
    """Refuse dtypes that the library refuses to write into each other."""
    raw = a.xp.raw
    if hasattr(b, "dtype"):
        b = raw.ones((1, 1), dtype=b.dtype, device=device_of(b))
    try:
        plain(raw.ones((1, 1), dtype=a.dtype, device=device_of(a)), b)
    except TypeError as error:
        kind = getattr(b, "dtype", type(b).__name__)
        raise DTypeError(
            f"a {sign}= b keeps the dtype of a: {kind} cannot be written into {a.dtype}: "
            f"write a = a {sign} b"
        ) from error
