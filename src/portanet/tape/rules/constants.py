"""Functions whose result is locally constant, an index, a truth value or a type."""

from __future__ import annotations

_STEPS = {"ceil", "floor", "floor_divide", "round", "trunc"}
_COMPARISONS = {
    "equal", "greater", "greater_equal", "isfinite", "isin", "isinf", "isnan", "less",
    "less_equal", "not_equal", "signbit",
}  # fmt: skip
_LOGIC = {
    "all", "any", "bitwise_and", "bitwise_invert", "bitwise_left_shift", "bitwise_or",
    "bitwise_right_shift", "bitwise_xor", "logical_and", "logical_not", "logical_or", "logical_xor",
}  # fmt: skip
_INDICES = {"argmax", "argmin", "argsort", "count_nonzero", "nonzero", "searchsorted"}
_LIKE = {"empty_like", "ones_like", "zeros_like"}
_TYPES = {"can_cast", "finfo", "iinfo", "isdtype", "result_type"}

CONSTANTS = frozenset(_STEPS | _COMPARISONS | _LOGIC | _INDICES | _LIKE | _TYPES)
