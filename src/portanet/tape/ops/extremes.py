"""How NumPy finds maxima and minima along short rows: of columns, which it takes all at once."""

from __future__ import annotations

import math
from typing import Any

from portanet.tape.ops.form import Form, FormOf
from portanet.tape.ops.sums import reduction, seen

# A reduction starts anew for each row, in 45 ns. Of a copy whose columns are the rows it goes over
# whole lines: 1024 x 10 float32 take 45.7 and 6.1 µs, 256 x 32 14.6 and 5.4, 256 x 64 16.0 and
# 14.5, 32 x 10 2.3 and 1.5, 32 x 32 2.6 and 2.5.
SHORT = 32
"""Entries of a row up to which, and rows from which on, a copy pays."""


def extreme(ufunc: str) -> FormOf:
    """Return the maker of the forms of a maximum or a minimum."""
    plain = reduction(ufunc)

    def form(call: Any, x: Any, *, axis: Any = None, keepdims: bool = False) -> Form | None:
        if not has_short_rows(x.shape, axis):
            return plain(call, x, axis=axis, keepdims=keepdims)
        rows, result = (-1, x.shape[-1]), call.result.shape
        text = f"{{np.{ufunc}.reduce}}({seen('{0}', x.shape, rows)}.T.copy(), 0"
        write = f"{text}, None, {seen('{out}', result, (-1,))})"
        return Form(write, seen(f"{text})", (-1,), result), rows=keepdims)

    return form


def has_short_rows(shape: tuple[int, ...], axis: Any) -> bool:
    """Whether an array has many short rows, along which it is reduced."""
    if len(shape) < 2 or axis not in (-1, len(shape) - 1):
        return False
    return 1 < shape[-1] <= SHORT <= math.prod(shape[:-1])
