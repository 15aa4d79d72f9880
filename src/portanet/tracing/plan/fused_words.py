"""Elementwise operations of a program in C++, in the words on their cards.

Each operation becomes one statement on numbers of its result's dtype, in the order of the program
and without contraction: a kernel gives what the operations give one by one. Half precision is
calculated in ``float`` and rounded after each operation, as CuPy does it.
"""

from __future__ import annotations

import math
from functools import cache
from typing import Any

import numpy as np

from portanet.tape.ops.words import Spoken, Words
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

PREAMBLE = """
typedef unsigned long long portanet_bits;"""
"""What every kernel starts with, before the helpers that the words on the cards ask for."""


def words(operation: Operation) -> tuple[Words, Spoken, str] | None:
    """Return the words of an operation, those of this call, and the dtype of its result.

    None for an operation that is not elementwise, or where C++ would promote otherwise.
    """
    known, result = operation.card.spoken, dtype_name(operation.result)
    if known is None or result not in C_TYPES or operation.options.keys() - known.options:
        return None
    said = known.of(operation.args, list(map(dtype_name, operation.args)), result)
    if said is None or not all(map(_fits, said.args, said.dtypes)):
        return None
    return known, said, result


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
    if dtype not in C_TYPES:
        return False
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
