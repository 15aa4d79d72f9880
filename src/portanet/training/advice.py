"""What to say instead, where a function of the user cannot be recorded."""

from __future__ import annotations

from typing import NoReturn

from portanet.errors import ArgumentError, TracedValueError

REFUSALS = TracedValueError, ArgumentError
"""What recording raises, and the function that is recorded."""


def raise_with_advice(error: TracedValueError | ArgumentError, advice: str) -> NoReturn:
    """Raise an error again: with an advice if it is of recording, as it is if of the function."""
    if "pn.jit" not in error.message:
        raise error
    raise type(error)(f"{error}. {advice}") from error
