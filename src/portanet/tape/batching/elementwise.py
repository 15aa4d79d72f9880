"""Batching of the functions of single elements, their arguments broadcast against each other."""

from __future__ import annotations

from typing import Any

from portanet.tape.batching._parts import Rule, lift, natural, rank_of


def elementwise(
    trace: Any, primitive: Any, values: list[Any], batched: list[bool], kwargs: dict[str, Any]
) -> Any:
    """Let the batch axis stay in front of every axis that an entry is broadcast to."""
    if len(values) > 1:
        ranks = [rank_of(x, own) for x, own in zip(values, batched, strict=True)]
        top = max(ranks)
        if min(ranks) != top:
            xp = primitive.xp
            values = [
                lift(xp, x, top) if own else x for x, own in zip(values, batched, strict=True)
            ]
    return primitive(*values, **kwargs)


_STEPS = {"ceil", "floor", "floor_divide", "round", "sign", "trunc"}
_COMPARISONS = {
    "equal", "greater", "greater_equal", "isfinite", "isinf", "isnan", "less", "less_equal",
    "not_equal", "signbit",
}  # fmt: skip
_LOGIC = {
    "bitwise_and", "bitwise_invert", "bitwise_left_shift", "bitwise_or", "bitwise_right_shift",
    "bitwise_xor", "logical_and", "logical_not", "logical_or", "logical_xor",
}  # fmt: skip
_COMPLEX = {"abs", "conj", "imag", "real"}
_ACTIVATIONS = {"celu", "elu", "leaky_relu", "soft_shrink", "threshold_relu"}

RULES: dict[str, Rule] = {
    **dict.fromkeys(_STEPS | _COMPARISONS | _LOGIC | _COMPLEX | _ACTIVATIONS, elementwise),
    "astype": natural,
    "convert": natural,
}
