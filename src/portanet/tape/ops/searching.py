"""Cards of the functions that sort, search and count: their results are constants.

What is sorted is taken in an order that is a constant. Where values decide how many elements there
are, nothing can be recorded, and a batch has no answer.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from portanet.tape.box import strip
from portanet.tape.ops.batching import along_axis, loop, of_no_size
from portanet.tape.ops.card import Card
from portanet.tape.rule import Constant


def _isin_batch(
    trace: Any, primitive: Any, values: list[Any], batched: list[bool], kwargs: dict[str, Any]
) -> Any:
    if batched[1]:
        return loop(trace, primitive, values, batched, kwargs)
    return primitive(*values, **kwargs)


CARDS = [
    Card("argsort", Constant("x", named="axis descending stable"), along_axis, fresh=True),
    Card("isin", Constant("x1", "x2", named="invert"), _isin_batch, fresh=True),
    Card("searchsorted", Constant("x1", "x2", named="side sorter"), fresh=True),
    Card("nonzero", Constant("x"), of_no_size, of_values=True),
    *(
        Card(f"unique_{kind}", batching=of_no_size, of_values=True)
        for kind in ("all", "counts", "inverse", "values")
    ),
]


def _sort(
    xp: Any, x: Any, /, *, axis: int | None = -1, descending: bool = False, stable: bool = True
) -> Any:
    if axis is None:
        x, axis = xp.reshape(x, (-1,)), 0
    order = xp.argsort(strip(x), axis=axis, descending=descending, stable=stable)
    return xp.take_along_axis(x, order, axis=axis)


COMPOSITES: dict[str, Callable[..., Any]] = {"sort": _sort}
