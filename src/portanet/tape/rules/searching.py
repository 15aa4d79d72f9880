"""Functions that sort: the order is a constant, the elements are taken in that order."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from portanet.tape.box import strip


def _sort(
    xp: Any, x: Any, /, *, axis: int | None = -1, descending: bool = False, stable: bool = True
) -> Any:
    if axis is None:
        x, axis = xp.reshape(x, (-1,)), 0
    order = xp.argsort(strip(x), axis=axis, descending=descending, stable=stable)
    return xp.take_along_axis(x, order, axis=axis)


COMPOSITES: dict[str, Callable[..., Any]] = {"sort": _sort}
