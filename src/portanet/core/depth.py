"""Models that nest deeper than Python's stack: refused, or copied and pickled bit by bit."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from portanet.errors import HyperparameterError

F = TypeVar("F", bound=Callable[..., Any])
T = TypeVar("T")

TOO_DEEP = "the model nests deeper than Python's recursion limit: write its layers in a row"


def within_depth(function: F) -> F:
    """Make a function of a model refuse one that nests too deep for it."""

    @functools.wraps(function)
    def checking(*args: Any, **options: Any) -> Any:
        try:
            return function(*args, **options)
        except RecursionError:
            raise HyperparameterError(TOO_DEEP) from None

    return checking  # pyright: ignore[reportReturnType]


_STEP = 32
"""How many layers inside each other are copied or pickled in one go. `copy.deepcopy` makes six
calls a layer, of which Python allows 1000, and as many for each of the steps themselves."""


def parts_ahead(layer: T, parts_of: Callable[[T], Iterable[T]]) -> list[T]:
    """Return the layers that are `_STEP` deep inside of a layer.

    Who copies or pickles them first, which does the same to what is inside of them, need not go
    deeper than that into the layer itself.
    """
    parts = [layer]
    for _ in range(_STEP):
        inside = {id(inner): inner for part in parts for inner in parts_of(part)}
        if not inside:
            return []
        parts = list(inside.values())
    return parts


def after_parts(parts: list[Any], make: Callable[..., Any], arguments: tuple[Any, ...]) -> Any:
    """Return ``make(*arguments)``, which may refer to the `parts` that were made before."""
    return make(*arguments)
