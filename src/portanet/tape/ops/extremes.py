"""How NumPy finds maxima and minima: of short rows as of columns, beside a number by a clip."""

from __future__ import annotations

import math
from typing import Any

from portanet.tape.ops.form import Form, FormOf, called, kind_of
from portanet.tape.ops.sums import reduction, seen

# A reduction starts anew for each row, in 45 ns. Of a copy whose columns are the rows it goes over
# whole lines: 1024 x 10 float32 take 45.7 and 6.1 µs, 256 x 32 14.6 and 5.4, 256 x 64 16.0 and
# 14.5, 32 x 10 2.3 and 1.5, 32 x 32 2.6 and 2.5.
SHORT = 32
"""Entries of a row up to which, and rows from which on, a copy pays."""

_RUN, _LONGEST = 1024, 8192  # entries of the zeros that an array is compared with, run by run


def bounding(ufunc: str) -> FormOf:
    """Return the maker of the forms of a maximum or a minimum of two operands.

    Beside a number NumPy goes entry by entry: 2048 and 262,144 float32 take 1.14 and 97 µs. A clip
    takes 0.51 and 28, but leaves a zero its sign, and an array of zeros beside it 0.54 and 55.
    """

    def form(call: Any, x: Any, bound: Any) -> Form | None:
        i = 0
        if type(x) in (int, float):
            x, bound, i = bound, x, 1
        shape = getattr(x, "shape", ())
        plain = type(bound) in (int, float) and math.isfinite(bound) and str(bound) != "-0.0"
        if not (plain and shape) or kind_of(x) != "f" or x.dtype != call.result.dtype:
            return called(ufunc, 2)
        if bound:
            low, high = (bound, math.inf) if ufunc == "maximum" else (-math.inf, bound)
            ends = f"{{number:{float(low)!r}}}, {{number:{float(high)!r}}}"
            text = f"{{np._core.umath.clip}}({{{i}}}, {ends}"
            return Form(f"{text}, {{out}})", f"{text})", elementwise=True, rows=True)
        start = len(shape) - 1
        while start and math.prod(shape[start:]) < _RUN:
            start -= 1
        if math.prod(shape[start:]) > _LONGEST:
            return called(ufunc, 2)
        operands = [f"{{{i}}}", f"{{zeros:{','.join(map(str, shape[start:]))}}}"]
        text = f"{{np.{ufunc}}}({', '.join(reversed(operands) if i else operands)}"
        return Form(f"{text}, out={{out}})", f"{text})", elementwise=True, rows=start > 0)

    return form


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
