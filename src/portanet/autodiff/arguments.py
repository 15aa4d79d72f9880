"""Checks of what a verb is given, before anything runs."""

from __future__ import annotations

from collections.abc import Sequence
from operator import index
from typing import Any

from portanet.errors import ArgumentError, shown


def function(verb: str, given: Any) -> None:
    """Raise `ArgumentError` if `given` cannot be called."""
    if not callable(given):
        raise ArgumentError(f"{verb} differentiates a function, not {type(given).__name__}")


def flag(verb: str, name: str, given: Any) -> None:
    """Raise `ArgumentError` if `given` is neither True nor False."""
    if not isinstance(given, bool):
        raise ArgumentError(f"{verb}: {name} is True or False: got {shown(given)}")


def several(argnums: Any) -> bool:
    """Whether `argnums` is a sequence of positions rather than one.

    Raises
    ------
    ArgumentError
        If it is neither.
    """
    if isinstance(argnums, Sequence) and not isinstance(argnums, str) and len(argnums) > 0:
        for i in argnums:
            _integer(i, argnums)
        return True
    _integer(argnums, argnums)
    return False


def _integer(i: Any, argnums: Any) -> None:
    try:
        if isinstance(i, bool):
            raise TypeError
        index(i)
    except TypeError:
        raise ArgumentError(
            f"argnums is an integer or a sequence of at least one, not {shown(argnums)}"
        ) from None


def positions(argnums: Sequence[int], count: int) -> tuple[int, ...]:
    """Return where `argnums` point among `count` positional arguments, counted from the front.

    Raises
    ------
    ArgumentError
        If one is out of range, or two point to the same argument.
    """
    if len(argnums) == 1 and 0 <= argnums[0] < count:
        return tuple(argnums)
    for i in argnums:
        if not -count <= i < count:
            raise ArgumentError(
                f"argnums {shown(i)} is out of range: the function was called with {count} "
                f"positional {'argument' if count == 1 else 'arguments'}"
            )
    found = tuple(i % count for i in argnums)
    if len(set(found)) < len(found):
        raise ArgumentError(f"argnums {tuple(argnums)} names one of {count} arguments twice")
    return found


def directions(name: str, given: Any) -> tuple[Any, ...]:
    """Return `given`, one entry a positional argument, as a tuple."""
    if not isinstance(given, tuple | list):
        raise ArgumentError(
            f"{name} is a tuple with one entry an argument, not {type(given).__name__}: write (x,)"
        )
    return tuple(given)
