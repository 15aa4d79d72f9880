"""Functions whose result is locally constant, an index, a truth value or a type."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from portanet.tape.form import Form
from portanet.tape.rule import Constant, Rule

_UNARY = {
    "bitwise_invert", "ceil", "floor", "isfinite", "isinf", "isnan", "logical_not", "nonzero",
    "signbit", "trunc",
}  # fmt: skip
_BINARY = {
    "bitwise_and", "bitwise_left_shift", "bitwise_or", "bitwise_right_shift", "bitwise_xor",
    "equal", "floor_divide", "greater", "greater_equal", "less", "less_equal", "logical_and",
    "logical_or", "logical_xor", "not_equal",
}  # fmt: skip


def _form(*positional: str, named: str = "") -> Form:
    return Form(positional, frozenset(named.split()))


CONSTANTS: dict[str, Form] = {
    **dict.fromkeys(_UNARY, _form("x")),
    **dict.fromkeys(_BINARY, _form("x1", "x2")),
    **dict.fromkeys(("all", "any", "count_nonzero"), _form("x", named="axis keepdims")),
    **dict.fromkeys(("argmax", "argmin"), _form("x", named="axis keepdims")),
    **dict.fromkeys(("empty_like", "ones_like", "zeros_like"), _form("x", named="dtype device")),
    "argsort": _form("x", named="axis descending stable"),
    "isin": _form("x1", "x2", named="invert"),
    "round": _form("x", named="decimals"),
    "searchsorted": _form("x1", "x2", named="side sorter"),
}
TYPES = frozenset({"can_cast", "finfo", "iinfo", "isdtype", "result_type"})
EXTENSIONS: dict[str, tuple[Rule, Callable[..., Any]]] = {
    "detach": (Constant(), lambda raw, x: x),
}
