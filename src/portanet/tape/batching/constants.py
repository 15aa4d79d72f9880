"""Batching of functions that give types, fresh arrays, or as many elements as values decide."""

from __future__ import annotations

from typing import Any

from portanet.errors import TracedValueError
from portanet.tape.batching._parts import Finished, Rule, loop


def _of_types(
    trace: Any, primitive: Any, values: list[Any], batched: list[bool], kwargs: dict[str, Any]
) -> Finished:
    types = [x.dtype if own else x for x, own in zip(values, batched, strict=True)]
    return Finished(primitive(*types, **kwargs))


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
                device=x.device if device is None else device,
            )
        )

    return rule


def _refuse(
    trace: Any, primitive: Any, values: list[Any], batched: list[bool], kwargs: dict[str, Any]
) -> Any:
    raise TracedValueError(
        f"{primitive.name}: the shape of the result would be another one in every entry of the "
        "batch: use a mask with xp.where, or leave this out of vmap"
    )


def _isin(
    trace: Any, primitive: Any, values: list[Any], batched: list[bool], kwargs: dict[str, Any]
) -> Any:
    if batched[1]:
        return loop(trace, primitive, values, batched, kwargs)
    return primitive(*values, **kwargs)


def _repeat(
    trace: Any, primitive: Any, values: list[Any], batched: list[bool], kwargs: dict[str, Any]
) -> Any:
    rule = _refuse if any(batched[1:]) else loop
    return rule(trace, primitive, values, batched, kwargs)


RULES: dict[str, Rule] = {
    **dict.fromkeys(("can_cast", "finfo", "iinfo", "isdtype", "result_type"), _of_types),
    **dict.fromkeys(
        ("nonzero", "unique_all", "unique_counts", "unique_inverse", "unique_values"), _refuse
    ),
    "empty_like": _like("empty"),
    "isin": _isin,
    "ones_like": _like("ones"),
    "repeat": _repeat,
    "zeros_like": _like("zeros"),
}
