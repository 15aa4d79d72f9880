"""Elementwise operations in C++, as CUDA and a host compiler read it.

Each operation becomes one statement on numbers of its result's dtype, in the order of the program
and without contraction: a kernel gives what the operations give one by one. Half precision is
calculated in ``float`` and rounded after each operation, as CuPy does it.
"""

from __future__ import annotations

import math
from functools import cache
from typing import Any

import numpy as np

from portanet.tracing.program import Opaque, Operation, Variable

C_TYPES = {
    "bool": "bool",
    "int8": "signed char",
    "int16": "short",
    "int32": "int",
    "int64": "long long",
    "uint8": "unsigned char",
    "uint16": "unsigned short",
    "uint32": "unsigned int",
    "uint64": "unsigned long long",
    "float16": "float16",
    "float32": "float",
    "float64": "double",
}

# Functions that no expression says, with NumPy's answers to NaN and infinities.
PREAMBLE = """
typedef unsigned long long portanet_bits;
template <typename T> __device__ T portanet_maximum(T a, T b) {
    return a >= b || a != a ? a : b;
}
template <typename T> __device__ T portanet_minimum(T a, T b) {
    return a <= b || a != a ? a : b;
}
template <typename T> __device__ T portanet_sign(T a) {
    return a > 0 ? T(1) : a < 0 ? T(-1) : a == 0 ? T(0) : a;
}
template <typename T> __device__ T portanet_logaddexp(T a, T b) {
    if (a == b) return a + T(0.69314718055994530942);
    T gap = a - b;
    return gap > 0 ? a + log1p(exp(-gap)) : gap <= 0 ? b + log1p(exp(gap)) : gap;
}
template <typename T> __device__ T portanet_logistic(T a) {
    T e = exp(-fabs(a));
    return (a < 0 ? e : T(1)) / (T(1) + e);
}
template <typename T> __device__ T portanet_gelu(T a) {
    return T(0.5) * a * erfc(a * T(-0.70710678118654752440));
}
"""

_ROOTED = (
    "acos acosh asin asinh atan atan2 atanh ceil copysign cos cosh exp expm1 floor hypot log log10 "
    "log1p log2 pow sin sinh sqrt tan tanh trunc"
)
_FLOATS = {
    **{name: f"{name}({{0}})" for name in _ROOTED.split()},
    **{name: f"{name}({{0}}, {{1}})" for name in ("atan2", "copysign", "hypot", "pow")},
    "abs": "fabs({0})",
    "add": "{0} + {1}",
    "divide": "{0} / {1}",
    "gelu_erf": "portanet_gelu({0})",
    "logaddexp": "portanet_logaddexp({0}, {1})",
    "logistic": "portanet_logistic({0})",
    "maximum": "portanet_maximum({0}, {1})",
    "minimum": "portanet_minimum({0}, {1})",
    "multiply": "{0} * {1}",
    "negative": "-{0}",
    "positive": "{0}",
    "reciprocal": "{type}(1) / {0}",
    "round": "rint({0})",
    "sigmoid": "portanet_logistic({0})",
    "sign": "portanet_sign({0})",
    "square": "{0} * {0}",
    "subtract": "{0} - {1}",
}
# Signed overflow has no meaning in C++, and wraps around in NumPy.
_INTEGERS = {
    "abs": "{0} < 0 ? portanet_bits(0) - portanet_bits({0}) : portanet_bits({0})",
    "add": "portanet_bits({0}) + portanet_bits({1})",
    "bitwise_and": "{0} & {1}",
    "bitwise_invert": "~{0}",
    "bitwise_or": "{0} | {1}",
    "bitwise_xor": "{0} ^ {1}",
    "maximum": "portanet_maximum({0}, {1})",
    "minimum": "portanet_minimum({0}, {1})",
    "multiply": "portanet_bits({0}) * portanet_bits({1})",
    "negative": "portanet_bits(0) - portanet_bits({0})",
    "positive": "{0}",
    "sign": "({0} > 0) - ({0} < 0)",
    "square": "portanet_bits({0}) * portanet_bits({0})",
    "subtract": "portanet_bits({0}) - portanet_bits({1})",
}
_LOGIC = {
    "bitwise_and": "{0} && {1}",
    "bitwise_invert": "!{0}",
    "bitwise_or": "{0} || {1}",
    "bitwise_xor": "{0} != {1}",
    "logical_and": "{0} && {1}",
    "logical_not": "!{0}",
    "logical_or": "{0} || {1}",
    "logical_xor": "{0} != {1}",
}
_COMPARISONS = {
    "equal": "{0} == {1}",
    "greater": "{0} > {1}",
    "greater_equal": "{0} >= {1}",
    "less": "{0} < {1}",
    "less_equal": "{0} <= {1}",
    "not_equal": "{0} != {1}",
}
_TESTS = {
    "isfinite": "isfinite({0})",
    "isinf": "isinf({0})",
    "isnan": "{0} != {0}",
    "signbit": "signbit({0})",
}
_FILLED = {"ones_like": "1", "zeros_like": "0"}
SEVERAL = {"clip", "clip_between", "gelu_erf", "logistic", "sigmoid"}
"""Operations that the library does by more than one kernel."""


def words(operation: Operation) -> tuple[str, list[tuple[Any, str]], str] | None:
    """Return the expression of an operation, its operands with their dtypes, and its own dtype.

    None for an operation that is not elementwise, or where C++ would promote otherwise.
    """
    result = dtype_name(operation.result)
    if result not in C_TYPES or operation.options.keys() - {"dtype"}:
        return None
    name, args = operation.name, list(operation.args)
    if name in ("clip", "clip_between"):
        text, args = _clipped(*args)
    elif name == "convert" or name in _FILLED:
        text, args = _FILLED.get(name, "{0}"), args[:1]
    elif operation.options:
        return None
    else:
        text = _table(result, args).get(name)
    own = _dtypes(args)
    if name == "where" and len(args) == 3:
        text, dtypes = "{0} ? {1} : {2}", ["bool", result, result]
    elif text is not None and len(own) == 1 and own <= C_TYPES.keys():
        dtypes = [*own] * len(args)
    else:
        return None
    operands = list(zip(args, dtypes, strict=True))
    return (text, operands, result) if all(_fits(*x) for x in operands) else None


def _table(result: str, args: list[Any]) -> dict[str, str]:
    """Return the expressions of the operations on such operands with such a result."""
    own = _dtypes(args)
    if result == "bool":
        floating = own <= {"float16", "float32", "float64"}
        return _COMPARISONS | (_LOGIC if own == {"bool"} else {}) | (_TESTS if floating else {})
    if own != {result}:
        return {}
    return _FLOATS if result.startswith("float") else _INTEGERS


def _clipped(x: Any, low: Any = None, high: Any = None) -> tuple[str, list[Any]]:
    text, args = "{0}", [x]
    for name, bound in (("maximum", low), ("minimum", high)):
        if bound is not None:
            text = f"portanet_{name}({text}, {{{len(args)}}})"
            args.append(bound)
    return text, args


def _dtypes(args: list[Any]) -> set[str]:
    """Return the dtypes of the arrays among arguments."""
    return {name for x in args if (name := dtype_name(x)) is not None}


def dtype_name(x: Any) -> str | None:
    """Return the name of an array's dtype; None for a number of the host."""
    if isinstance(x, Opaque):
        return None
    dtype = getattr(x, "dtype", None)
    return None if dtype is None else _said(dtype)


@cache
def _said(dtype: Any) -> str:
    return str(dtype)


def _fits(x: Any, dtype: str) -> bool:
    """Whether an operand is an array of `dtype`, or a number that an array of it does not widen."""
    if dtype_name(x) is not None:
        return dtype_name(x) == dtype
    floating = dtype.startswith("float")
    if isinstance(x, Variable) or type(x) is float:
        return floating
    if type(x) is bool:
        return dtype == "bool" or floating
    if type(x) is not int or dtype == "bool":
        return False
    return floating or (np.iinfo(dtype).min < x <= np.iinfo(dtype).max)


def literal(x: Any, dtype: str) -> str | None:
    """Return a number as C++ says it, rounded to `dtype`; None if only an argument can hold it."""
    if type(x) not in (bool, int, float):
        return None
    if dtype == "bool":
        return "true" if x else "false"
    if not dtype.startswith("float"):
        suffix = {"int64": "LL", "uint64": "ULL"}.get(dtype, "")
        return f"({C_TYPES[dtype]})({x}{suffix})"
    with np.errstate(over="ignore"):
        value = float(np.dtype(dtype).type(x))
    if not math.isfinite(value):
        return None
    return f"({value!r}{'' if dtype == 'float64' else 'f'})"


def held(dtype: str) -> str:
    """Return the type of a local variable."""
    return "float" if dtype == "float16" else C_TYPES[dtype]


def rounded(text: str, dtype: str) -> str:
    """Return an expression as a number of `dtype`."""
    if dtype == "float16":
        return f"static_cast<float>(static_cast<float16>({text}))"
    return f"static_cast<{C_TYPES[dtype]}>({text})"
