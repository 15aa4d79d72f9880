"""Batching of functions that give fresh arrays, or as many elements as values decide."""

from __future__ import annotations

from typing import Any

from portanet.tape.batching._parts import Finished, Rule, loop, natural, of_no_size
from portanet.tape.box import device_of


def _like(name: str) -> Rule:
    def rule(
        trace: Any, primitive: Any, values: list[Any], batched: list[bool], kwargs: dict[str, Any]
    ) -> Finished:
        x = values[0]
        dtype, device = kwargs.get("dtype"), kwargs.get("device")
        return Finished(
            getattr(primitive.xp, name)(
                x.shape[1:],
                dtype=x.dtype if dtype is None else dtype,
                device=device_of(x) if device is None else device,
            )
        )

    return rule


def _isin(
    trace: Any, primitive: Any, values: list[Any], batched: list[bool], kwargs: dict[str, Any]
) -> Any:
    if batched[1]:
        return loop(trace, primitive, values, batched, kwargs)
    return primitive(*values, **kwargs)


RULES: dict[str, Rule] = {
    **dict.fromkeys(
        ("nonzero", "unique_all", "unique_counts", "unique_inverse", "unique_values"), of_no_size
    ),
    "detach": natural,
    "empty_like": _like("empty"),
    "isin": _isin,
    "ones_like": _like("ones"),
    "zeros_like": _like("zeros"),
}
