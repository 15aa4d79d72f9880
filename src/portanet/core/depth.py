"""Models that nest deeper than Python's stack."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, TypeVar

from portanet.errors import HyperparameterError

F = TypeVar("F", bound=Callable[..., Any])

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
