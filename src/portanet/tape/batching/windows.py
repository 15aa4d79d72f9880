"""Batching of the operations under convolution and pooling, whose first axis counts samples.

A batch of samples is more samples. Where a kernel differs from entry to entry, they run one by one.
"""

from __future__ import annotations

from typing import Any

from portanet.tape.batching._parts import Rule, loop, spread


def _samples(count: int) -> Rule:
    """Make the rule of a function whose first `count` arguments have the axis of samples."""

    def rule(
        trace: Any, primitive: Any, values: list[Any], batched: list[bool], kwargs: dict[str, Any]
    ) -> Any:
        if trace.size == 0 or any(batched[count:]):
            return loop(trace, primitive, values, batched, kwargs)
        xp, size = primitive.xp, trace.size
        merged = []
        for x, own in zip(values[:count], batched[:count], strict=True):
            x = spread(xp, x, own, size)
            merged.append(xp.reshape(x, (size * x.shape[1], *x.shape[2:])))
        y = primitive(*merged, *values[count:], **kwargs)
        return xp.reshape(y, (size, y.shape[0] // size, *y.shape[1:]))

    return rule


def _resampled(
    trace: Any,
    primitive: Any,
    values: list[Any],
    batched: list[bool],
    kwargs: dict[str, Any],
) -> Any:
    return primitive(*values, **{**kwargs, "axis": kwargs["axis"] + 1})


RULES: dict[str, Rule] = {
    "add_patches": _samples(1),
    "patch_product": _samples(1),
    "patch_spread": _samples(1),
    "pick_largest": _samples(3),
    "resampled": _resampled,
    "route_to_largest": _samples(3),
    "window_max": _samples(1),
    "window_patches": _samples(1),
    "window_spread": _samples(1),
    "window_sum": _samples(1),
}
