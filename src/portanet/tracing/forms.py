"""How NumPy computes each primitive: with an ``out``, as a view, or by a call of its own.

A form is source text in which ``{0}``, ``{1}``, … are the operands and ``{out}`` the result.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from portanet.tracing.host import HostFunction
from portanet.tracing.program import Operation


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
    """

    write: str | None = None
    fresh: str | None = None
    view: str | None = None
    elementwise: bool = False


_SAME_NAME = {
    "abs", "add", "ceil", "copysign", "cos", "cosh", "divide", "equal", "exp", "expm1", "floor",
    "floor_divide", "greater", "greater_equal", "hypot", "isfinite", "isinf", "isnan", "less",
    "less_equal", "log", "log10", "log1p", "log2", "logaddexp", "logical_and", "logical_not",
    "logical_or", "logical_xor", "multiply", "negative", "nextafter", "not_equal", "positive",
    "reciprocal", "remainder", "sign", "signbit", "sin", "sinh", "sqrt", "square", "subtract",
    "tan", "tanh", "trunc",
}  # fmt: skip
_OTHER_NAMES = {
    "acos": "arccos",
    "acosh": "arccosh",
    "asin": "arcsin",
    "asinh": "arcsinh",
    "atan": "arctan",
    "atan2": "arctan2",
    "atanh": "arctanh",
    "bitwise_and": "bitwise_and",
    "bitwise_invert": "invert",
    "bitwise_left_shift": "left_shift",
    "bitwise_or": "bitwise_or",
    "bitwise_right_shift": "right_shift",
    "bitwise_xor": "bitwise_xor",
    "conj": "conjugate",
    "maximum": "maximum",
    "minimum": "minimum",
    "pow": "power",
}
_EXP_LIMITS = {"float32": 87.0, "float64": 708.0}  # exp of more overflows
UFUNCS: dict[str, str] = {**{name: name for name in _SAME_NAME}, **_OTHER_NAMES}


def is_known(name: str) -> bool:
    """Whether there may be a form for the primitive `name`."""
    return name in UFUNCS or name in _FORMS


def form_of(operation: Operation) -> Form | None:
    """Return the form of an operation, None where only its own function computes it."""
    if isinstance(operation.primitive, HostFunction):
        return Form(fresh=operation.primitive.text)
    if operation.name == "pow" and _is_two(operation.args[1]):
        return Form("np.square({0}, {out})", "np.square({0})", elementwise=True)
    ufunc = UFUNCS.get(operation.name)
    if ufunc is not None and not operation.options:
        names = ", ".join(f"{{{i}}}" for i in range(len(operation.args)))
        # By position an out costs less than by name, which these two insist on.
        out = "out={out}" if ufunc in ("maximum", "minimum") else "{out}"
        return Form(f"np.{ufunc}({names}, {out})", f"np.{ufunc}({names})", elementwise=True)
    make = _FORMS.get(operation.name)
    return None if make is None else make(operation, *operation.args, **operation.options)


def _is_two(exponent: Any) -> bool:
    return type(exponent) in (int, float) and exponent == 2


def _matmul(operation: Operation, x: Any, y: Any) -> Form:
    name = "dot" if len(x.shape) <= 2 and len(y.shape) <= 2 else "matmul"
    return Form(f"np.{name}({{0}}, {{1}}, {{out}})", f"np.{name}({{0}}, {{1}})")


def _reduction(ufunc: str) -> Callable[..., Form | None]:
    def form(
        operation: Operation, x: Any, *, axis: Any = None, dtype: Any = None, keepdims: bool = False
    ) -> Form | None:
        if dtype is not None:
            return None
        call = f"np.{ufunc}.reduce({{0}}, {axis!r}, None, {{out}}, {keepdims})"
        return Form(call, call.replace("{out}", "None"))

    return form


def _sum(operation: Operation, x: Any, *, axis: Any = None, **options: Any) -> Form | None:
    column_sums = axis in (0, (0,)) and not options and len(x.shape) == 2
    if column_sums and str(x.dtype) in ("float32", "float64") and x.shape[0] and x.shape[1]:
        # A product with a row of ones starts much sooner than a reduction along the first axis.
        return Form("np.dot({ones}, {0}, {out})", "np.dot({ones}, {0})")
    return _reduction("add")(operation, x, axis=axis, **options)


def _mean(operation: Operation, x: Any, *, axis: Any = None, keepdims: bool = False) -> Form | None:
    result = operation.result
    if not result.size or str(x.dtype) not in ("float32", "float64"):
        return None
    count = float(x.size // result.size)
    total = f"np.add.reduce({{0}}, {axis!r}, None, {{out}}, {keepdims})"
    write = f"{total}; np.divide({{out}}, {count!r}, {{out}})"
    return Form(write, f"{total.replace('{out}', 'None')} / {count!r}")


def _sigmoid(operation: Operation, x: Any) -> Form | None:
    far = _EXP_LIMITS.get(str(x.dtype))
    if far is None:
        return None
    head = f"np.maximum({{0}}, -{far}, out={{out}}); np.negative({{out}}, {{out}})"
    tail = "np.exp({out}, {out}); np.add({out}, 1.0, {out}); np.reciprocal({out}, {out})"
    return Form(f"{head}; {tail}", elementwise=True)


def _where(operation: Operation, condition: Any, x: Any, y: Any) -> Form:
    return Form("np.copyto({out}, {2}); np.copyto({out}, {1}, where={0})")


def _clip(operation: Operation, x: Any, low: Any = None, high: Any = None) -> Form | None:
    if low is None or high is None:
        return None
    return Form(
        "np.maximum({0}, {1}, out={out}); np.minimum({out}, {2}, out={out})",
        elementwise=isinstance(low, float | int) and isinstance(high, float | int),
    )


def _view(text: str) -> Callable[..., Form]:
    return lambda operation, x, *args, **options: Form(view=text)


def _reshape(operation: Operation, x: Any, shape: Any, *, copy: Any = None) -> Form | None:
    return Form(view=f"{{0}}.reshape({operation.result.shape!r})") if copy is None else None


def _permute_dims(operation: Operation, x: Any, axes: Any) -> Form:
    return Form(view=f"{{0}}.transpose({tuple(axes)!r})")


def _resized(operation: Operation, x: Any, *args: Any, **options: Any) -> Form:
    return Form(view=f"{{0}}.reshape({operation.result.shape!r})")


def _broadcast_to(operation: Operation, x: Any, shape: Any) -> Form:
    return Form("{out}[...] = {0}", view=f"np.broadcast_to({{0}}, {operation.result.shape!r})")


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
    return Form("{out}[...] = {0}", "{0}.astype({1})")


def _concat(operation: Operation, *arrays: Any, axis: Any) -> Form | None:
    if axis is None:
        return None
    names = ", ".join(f"{{{i}}}" for i in range(len(arrays)))
    return Form(
        f"np.concatenate(({names},), {axis}, {{out}})", f"np.concatenate(({names},), {axis})"
    )


def _scatter_getitem(operation: Operation, g: Any, key: Any, shape: Any) -> Form | None:
    if _getitem(operation, g, key) is None:
        return None
    return Form("{out}.fill(0); {out}[{1}] = {0}")


_FORMS: dict[str, Callable[..., Form | None]] = {
    "broadcast_to": _broadcast_to,
    "clip": _clip,
    "concat_arrays": _concat,
    "convert": _convert,
    "expand_dims": _resized,
    "getitem": _getitem,
    "matmul": _matmul,
    "matrix_transpose": _view("{0}.mT"),
    "max": _reduction("maximum"),
    "mean": _mean,
    "min": _reduction("minimum"),
    "permute_dims": _permute_dims,
    "prod": _reduction("multiply"),
    "reshape": _reshape,
    "scatter_getitem": _scatter_getitem,
    "sigmoid": _sigmoid,
    "squeeze": _resized,
    "sum": _sum,
    "where": _where,
}
