"""How NumPy computes each primitive: with an ``out``, as a view, or by a call of its own."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from typing import Any

import numpy as np

from portanet.tracing.program import HostFunction, Operation
from portanet.tracing.write.form import Form, kind_of
from portanet.tracing.write.sums import mean_of, reduction, sum_of


class _Copy:
    """The primitive of a copy into kept memory, which only the planner makes."""

    name = "copy of input"


COPY = _Copy()
_SAME_NAME = {
    "abs", "add", "ceil", "copysign", "cos", "cosh", "divide", "equal", "exp", "expm1", "floor",
    "floor_divide", "greater", "greater_equal", "hypot", "isfinite", "isinf", "isnan", "less",
    "less_equal", "log", "log10", "log1p", "log2", "logaddexp", "logical_and", "logical_not",
    "logical_or", "logical_xor", "multiply", "negative", "nextafter", "not_equal", "positive",
    "reciprocal", "remainder", "sign", "signbit", "sin", "sinh", "sqrt", "square", "subtract",
    "tan", "tanh", "trunc",
}  # fmt: skip
_OTHER_NAMES = {
    "acos": "arccos", "acosh": "arccosh", "asin": "arcsin", "asinh": "arcsinh", "atan": "arctan",
    "atan2": "arctan2", "atanh": "arctanh", "bitwise_and": "bitwise_and",
    "bitwise_invert": "invert", "bitwise_left_shift": "left_shift", "bitwise_or": "bitwise_or",
    "bitwise_right_shift": "right_shift", "bitwise_xor": "bitwise_xor", "conj": "conjugate",
    "maximum": "maximum", "minimum": "minimum", "pow": "power",
}  # fmt: skip
_FORESEEN = 512  # entries of a mask that branches get along with
_QUIETED = 8192  # entries from which on it takes less to silence NumPy than to look for overflow
_MANY = 8  # rows for which it pays to copy a matrix
_ROUNDED = {"ceil", "floor", "trunc"}
_POWERS = {(int, -1): "reciprocal", (int, 2): "square", (float, 0.5): "sqrt"}  # NumPy's shortcuts
UFUNCS: dict[str, str] = {**{name: name for name in _SAME_NAME}, **_OTHER_NAMES}


def is_known(name: str) -> bool:
    """Whether there may be a form for the primitive `name`."""
    return name in UFUNCS or name in _FORMS


def form_of(operation: Operation) -> Form | None:
    """Return the form of an operation, None where only its own function computes it."""
    if isinstance(operation.primitive, HostFunction):
        return Form(fresh=operation.primitive.text)
    name = operation.name
    ufunc = _power(operation) if name == "pow" else UFUNCS.get(name)
    if ufunc is not None and not operation.options:
        if name in _ROUNDED and kind_of(operation.args[0]) != "f":
            return None
        count = 1 if ufunc in _POWERS.values() else len(operation.args)
        names = ", ".join(f"{{{i}}}" for i in range(count))
        # By position an out costs less than by name, which these two insist on.
        out = "out={out}" if ufunc in ("maximum", "minimum") else "{out}"
        call = f"{{np.{ufunc}}}({names}"
        return Form(f"{call}, {out})", f"{call})", elementwise=True, rows=True)
    make = _FORMS.get(name)
    return None if make is None else make(operation, *operation.args, **operation.options)


def _power(operation: Operation) -> str:
    """Return the function that NumPy calls for a power, or one that gives the same sooner."""
    x, exponent = operation.args
    if type(exponent) in (int, float):
        squared = np.square(np.empty(0, x.dtype)).dtype
        if exponent == 2 and kind_of(x) != "c" and squared == operation.result.dtype:
            return "square"
        if operation.primitive.compute is operator.pow and kind_of(x) in ("f", "c"):
            return _POWERS.get((type(exponent), exponent), "power")
    return "power"


def _matmul(operation: Operation, x: Any, y: Any) -> Form:
    name = "dot" if len(x.shape) <= 2 and len(y.shape) <= 2 else "matmul"
    if len(y.shape) > 2 and len(x.shape) > 1 and x.shape[-2] >= _MANY:
        # Of stacks of matrices, those that are turned over take twice as long.
        straight = f"{{1}}.strides[-1] == {np.dtype(y.dtype).itemsize}"
        right = f"{{1}} if {straight} else {{np.ascontiguousarray}}({{1}})"
        return Form(f"{{np.matmul}}({{0}}, {right}, {{out}})", f"{{np.matmul}}({{0}}, {right})")
    return Form(f"{{np.{name}}}({{0}}, {{1}}, {{out}})", f"{{np.{name}}}({{0}}, {{1}})")


def _sigmoid(operation: Operation, x: Any) -> Form | None:
    if kind_of(x) != "f":
        return None
    if x.size > _QUIETED:
        return _by_entries(operation, x)
    # What would overflow is infinite before: exp then says nothing of it, and the limit is 0.
    far = float(np.nextafter(np.log(np.finfo(x.dtype).max), x.dtype.type(0)))
    steps = "{np.negative}({0}, {out}); "
    steps += (
        f"{{np.copyto}}({{out}}, {{number:inf}}, where={{np.greater}}({{out}}, {{number:{far}}})); "
    )
    steps += "{np.exp}({out}, {out}); {np.add}({out}, {number:1.0}, {out}); "
    return Form(steps + "{np.divide}({number:1.0}, {out}, {out})", elementwise=True, rows=True)


def _where(operation: Operation, condition: Any, x: Any, y: Any) -> Form | None:
    if kind_of(condition) != "b":
        return None
    if operation.result.size > _FORESEEN:
        return _by_entries(operation, x)
    return Form("{np.copyto}({out}, {2}); {np.copyto}({out}, {1}, where={0})", rows=True)


def _clip(operation: Operation, x: Any, low: Any, high: Any) -> Form | None:
    if kind_of(x) != "f" or not all(_is_finite(bound) for bound in (low, high)):
        return None
    # Unlike a maximum and a minimum, which branch, this is one pass of vector instructions.
    bounds = ("-inf" if low is None else low), ("inf" if high is None else high)
    call = "{{np._core.umath.clip}}({{0}}, {{number:{}}}, {{number:{}}}".format(*bounds)
    return Form(f"{call}, {{out}})", f"{call})", elementwise=True, rows=True)


def _is_finite(bound: Any) -> bool:
    return bound is None or (type(bound) in (int, float) and math.isfinite(bound))


def _view(text: str) -> Callable[..., Form]:
    return lambda operation, x, *args, **options: Form(view=text)


def _reshape(operation: Operation, x: Any, shape: Any, *, copy: Any = None) -> Form | None:
    return Form(view=f"{{0}}.reshape({operation.result.shape!r})") if copy is None else None


def _permute_dims(operation: Operation, x: Any, axes: Any) -> Form:
    return Form(view=f"{{0}}.transpose({tuple(axes)!r})")


def _moveaxis(operation: Operation, x: Any, source: Any, destination: Any) -> Form:
    order = np.moveaxis(np.empty(range(len(x.shape))), source, destination).shape
    return Form(view=f"{{0}}.transpose({order!r})")


def _resized(operation: Operation, x: Any, *args: Any, **options: Any) -> Form:
    return Form(view=f"{{0}}.reshape({operation.result.shape!r})")


def _broadcast_to(operation: Operation, x: Any, shape: Any) -> Form:
    return Form("{out}[...] = {0}", view=f"{{np.broadcast_to}}({{0}}, {operation.result.shape!r})")


def _getitem(operation: Operation, x: Any, key: Any) -> Form | None:
    parts = key if isinstance(key, tuple) else (key,)
    basic = all(
        isinstance(part, slice | int | type(None) | type(...)) and not isinstance(part, bool)
        for part in parts
    )
    if not basic or not operation.result.shape:
        return None
    return Form(view="{0}[{1}]")


def _convert(operation: Operation, x: Any, dtype: Any) -> Form:
    return Form("{out}[...] = {0}", "{0}.astype({1})", rows=True)


def _concat(operation: Operation, *arrays: Any, axis: Any) -> Form | None:
    if axis is None:
        return None
    names = ", ".join(f"{{{i}}}" for i in range(len(arrays)))
    return Form(
        f"{{np.concatenate}}(({names},), {axis}, {{out}})",
        f"{{np.concatenate}}(({names},), {axis})",
    )


def _scatter_getitem(operation: Operation, g: Any, key: Any, shape: Any) -> Form | None:
    if _getitem(operation, g, key) is None:
        return None
    return Form("{out}.fill(0); {out}[{1}] = {0}")


def _scatter_sum(operation: Operation, *parts: Any, keys: Any, shape: Any) -> Form | None:
    if any(_getitem(operation, parts[0], key) is None for key in keys):
        return None
    places = [f"{{out}}[{_subscript(key)}]" for key in keys]
    if _fill_apart(keys, shape):
        return Form("; ".join(f"{place} = {{{i}}}" for i, place in enumerate(places)))
    lines = [f"{place} += {{{i}}}" for i, place in enumerate(places)]
    return Form("; ".join(["{out}.fill(0)", *lines]))


def _subscript(key: Any) -> str:
    """Return the text of an index without arrays."""
    texts = []
    for part in key if isinstance(key, tuple) else (key,):
        if isinstance(part, slice):
            ends = ("" if x is None else repr(x) for x in (part.start, part.stop, part.step))
            texts.append(":".join(ends))
        else:
            texts.append("..." if part is ... else repr(part))
    return ", ".join(texts) + ("," if len(texts) == 1 and isinstance(key, tuple) else "")


def _fill_apart(keys: Any, shape: Any) -> bool:
    """Whether indices name each entry of an array once."""
    named = np.zeros(shape, np.uint8)
    for key in keys:
        named[key] += 1
    return bool((named == 1).all())


def _into(operation: Operation, *args: Any, **options: Any) -> Form:
    """Let the primitive's own function fill kept memory."""
    return Form("{call}, out={out})", "{call})")


def _by_rows(operation: Operation, x: Any, *args: Any, **options: Any) -> Form:
    """Let the primitive's own function fill kept memory, row by row of more than one axis."""
    axis, rank = args[0] if args else options.get("axis", -1), len(x.shape)
    return Form("{call}, out={out})", "{call})", rows=rank > 1 and axis in (-1, rank - 1))


def _by_entries(operation: Operation, x: Any) -> Form:
    """Let the primitive's own function fill kept memory, entry by entry."""
    return Form("{call}, out={out})", "{call})", rows=True)


def _copy(operation: Operation, x: Any) -> Form:
    return Form("{out}[...] = {0}", "{0}.copy()", rows=True)


_FORMS: dict[str, Callable[..., Form | None]] = {
    "add_patches": _into,
    "broadcast_to": _broadcast_to,
    "clip_between": _clip,
    "concat_arrays": _concat,
    "convert": _convert,
    "digamma": _by_entries,
    "erf": _by_entries,
    "erfc": _by_entries,
    COPY.name: _copy,
    "expand_dims": _resized,
    "gelu_erf": _by_entries,
    "getitem": _getitem,
    "lgamma": _by_entries,
    "masked_softmax": _by_rows,
    "matmul": _matmul,
    "matrix_transpose": _view("{0}.mT"),
    "max": reduction("maximum"),
    "mean": mean_of,
    "moveaxis": _moveaxis,
    "min": reduction("minimum"),
    "patch_collect": _into,
    "patch_product": _into,
    "patch_spread": _into,
    "permute_dims": _permute_dims,
    "pick_largest": _into,
    "prod": reduction("multiply"),
    "reshape": _reshape,
    "route_to_largest": _into,
    "scatter_getitem": _scatter_getitem,
    "scatter_sum": _scatter_sum,
    "segment_max": lambda operation, *args: None,
    "sigmoid": _sigmoid,
    "softmax": _by_rows,
    "squeeze": _resized,
    "sum": sum_of,
    "where": _where,
    "window_max": _into,
    "window_patches": _into,
    "window_spread": _into,
    "window_sum": _into,
}
