"""Forms: how NumPy computes an operation in a recorded program, as source text.

``{0}``, ``{1}``, … are the operands, ``{out}`` the result, ``{np.add}`` a function of NumPy,
``{number:1.0}`` that number as an array of the result's dtype, ``{ones:3,1}`` and ``{zeros:3,1}``
arrays of that shape, ``{lower:3,4,0}`` which of 3 x 4 entries lie up to the diagonal 0, and
``{call}`` the call of the operation's own function up to its last parenthesis. What a form computes
is what that function does, also of infinities and NaN.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

_OPERATORS = {
    "add": "{0} + {1}",
    "subtract": "{0} - {1}",
    "multiply": "{0} * {1}",
    "divide": "{0} / {1}",
    "negative": "-{0}",
    "square": "{0} * {0}",
}
_OUT_BY_NAME = ("maximum", "minimum")  # by position an out costs less, which these two refuse


@dataclass(frozen=True, slots=True)
class Form:
    """The source text of one operation.

    Parameters
    ----------
    write : str, optional
        A statement that fills ``{out}``.
    fresh : str, optional
        An expression that makes the result in new memory.
    view : str, optional
        An expression that looks at the memory of the first operand.
    elementwise : bool
        Whether ``{out}`` may be an operand of the same shape and dtype.
    rows : bool
        Whether each row of a result with as many rows, along the first axis, as the operands
        needs that row of them alone.
    universal : bool
        Whether it is one universal function: to these a number costs more than an array without
        axes.
    number : str, optional
        An expression of the same value as one of NumPy's numbers, where the result has no axes. Of
        a universal function it is one of Python's operators, which take a fifth of the time, for
        operands that are numbers too.
    """

    write: str | None = None
    fresh: str | None = None
    view: str | None = None
    elementwise: bool = False
    rows: bool = False
    universal: bool = False
    number: str | None = None


FormOf = Callable[..., Form | None]
"""``form_of(call, *args, **options)``: the form of a recorded call, which has `args`, `options`, a
`result` and a `primitive`; None where only its own function computes it."""


@dataclass(frozen=True, slots=True)
class Ufunc:
    """The form of a universal function of NumPy, which takes no options."""

    name: str

    def __call__(self, call: Any, *args: Any, **options: Any) -> Form | None:
        return None if options else called(self.name, len(args))


def called(ufunc: str, count: int) -> Form:
    """Return the form of a universal function of `count` operands."""
    names = ", ".join(f"{{{i}}}" for i in range(count))
    out = "out={out}" if ufunc in _OUT_BY_NAME else "{out}"
    call = f"{{np.{ufunc}}}({names}"
    return Form(
        f"{call}, {out})", f"{call})", elementwise=True, rows=True, universal=True,
        number=_OPERATORS.get(ufunc),
    )  # fmt: skip


def operand(call: Any, i: int) -> str:
    """Return the text of an operand: a number of Python as an array of the result's dtype.

    NumPy's functions make one of it in each call.
    """
    x = call.args[i]
    plain = kind_of(call.result) == "f" and type(x) in (int, float)
    return f"{{number:{float(x)!r}}}" if plain else f"{{{i}}}"


def own(call: Any, *args: Any, **options: Any) -> None:
    """Let the operation's own function compute the result, in memory of its choice."""
    return


def into(call: Any, *args: Any, **options: Any) -> Form:
    """Let the operation's own function fill kept memory."""
    return Form("{call}, out={out})", "{call})")


def by_rows(call: Any, x: Any, *args: Any, **options: Any) -> Form:
    """Let it do so row by row of more than one axis, where it works along the last one."""
    axis, rank = args[0] if args else options.get("axis", -1), len(x.shape)
    return Form("{call}, out={out})", "{call})", rows=rank > 1 and axis in (-1, rank - 1))


def by_entries(call: Any, *args: Any) -> Form:
    """Let it do so entry by entry."""
    return Form("{call}, out={out})", "{call})", rows=True)


def kind_of(x: Any) -> str:
    """Return the letter of the kind of an array's dtype, none for what is no array."""
    dtype = getattr(x, "dtype", None)
    return "" if dtype is None else np_dtype(dtype).kind


def np_dtype(dtype: Any) -> Any:
    """Return a dtype as one of NumPy, by its name where it is of another library."""
    try:
        return np.dtype(dtype)
    except TypeError:
        return np.dtype(str(dtype).rpartition(".")[2])
