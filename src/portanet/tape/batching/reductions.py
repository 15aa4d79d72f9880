"""Batching of the functions that reduce, accumulate or sort along axes."""

from __future__ import annotations

from typing import Any

from portanet.errors import ShapeError
from portanet.tape.batching._parts import Rule, behind, entry_of, flat, natural, positive, through


def _reduce(
    trace: Any, primitive: Any, values: list[Any], batched: list[bool], kwargs: dict[str, Any]
) -> Any:
    """Reduce over any axes of the entries; without `axis` over all."""
    x, axis = values[0], kwargs.get("axis")
    if x.ndim == 1:
        primitive.compute(entry_of(trace, primitive, x), **kwargs)
        return primitive(
            primitive.xp.expand_dims(x, axis=1), **{**kwargs, "axis": 1, "keepdims": False}
        )
    return primitive(x, **{**kwargs, "axis": behind(primitive.name, axis, x.ndim - 1)})


def _extreme_index(
    trace: Any, primitive: Any, values: list[Any], batched: list[bool], kwargs: dict[str, Any]
) -> Any:
    """``argmax`` and ``argmin``: without `axis` of the flattened entry."""
    xp, x, axis = primitive.xp, values[0], kwargs.get("axis")
    if axis is not None and x.ndim > 1:
        return primitive(x, **{**kwargs, "axis": positive(primitive.name, axis, x.ndim - 1) + 1})
    if x.ndim == 1:
        primitive.compute(entry_of(trace, primitive, x), **kwargs)
    index = primitive(flat(xp, x), axis=1)
    kept = kwargs.get("keepdims", False)
    return xp.reshape(index, (x.shape[0], *(1,) * (x.ndim - 1))) if kept else index


def _accumulate(
    trace: Any, primitive: Any, values: list[Any], batched: list[bool], kwargs: dict[str, Any]
) -> Any:
    """Go along one axis, which may be left out where there is only one."""
    x, axis = values[0], kwargs.get("axis")
    if axis is None and x.ndim > 2:
        raise ShapeError(f"{primitive.name} without axis needs x.ndim == 1: {x.ndim - 1} != 1")
    if x.ndim == 1:
        primitive.compute(entry_of(trace, primitive, x), **kwargs)
        return primitive(flat(primitive.xp, x), **{**kwargs, "axis": 1})
    axis = positive(primitive.name, 0 if axis is None else axis, x.ndim - 1)
    return primitive(x, **{**kwargs, "axis": axis + 1})


def _along(
    trace: Any, primitive: Any, values: list[Any], batched: list[bool], kwargs: dict[str, Any]
) -> Any:
    """Go along one axis, the last by default, given by position or by name; None flattens."""
    x, options = values[0], dict(kwargs)
    axis = values[1] if len(values) > 1 else options.pop("axis", -1)
    if axis is None:
        primitive.compute(entry_of(trace, primitive, x), **kwargs)
        return primitive(flat(primitive.xp, x), **{**options, "axis": 1})
    options["axis"] = positive(primitive.name, axis, x.ndim - 1) + 1
    return primitive(x, **options)


def _logsumexp(
    trace: Any, primitive: Any, values: list[Any], batched: list[bool], kwargs: dict[str, Any]
) -> Any:
    names = ("axis", "keepdims")
    options = {**dict(zip(names, values[1:], strict=False)), **kwargs}
    return _reduce(trace, primitive, values[:1], batched[:1], options)


RULES: dict[str, Rule] = {
    **dict.fromkeys(("all", "any", "count_nonzero"), _reduce),
    **dict.fromkeys(("max", "mean", "min", "prod", "std", "sum", "var"), _reduce),
    "linalg.vector_norm": _reduce,
    **dict.fromkeys(("argmax", "argmin"), _extreme_index),
    **dict.fromkeys(("cumulative_prod", "cumulative_sum"), _accumulate),
    **dict.fromkeys(("argsort", "differences", "log_softmax", "softmax"), _along),
    "logsumexp": _logsumexp,
    "scipy.special.logsumexp": _reduce,
    "masked_softmax": natural,
    "inner_product": through(lambda xp, x, y: xp.sum(x * y)),
    "mean_squared_error": through(lambda xp, x, y: xp.mean((x - y) * (x - y))),
}
