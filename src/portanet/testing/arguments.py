"""What the kit is called with: refused by name before anything is compared."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from numbers import Real
from typing import Any, NoReturn

from portanet.checks import LARGEST
from portanet.errors import ArgumentError, shown
from portanet.interface import is_array


def refuse(relation: str, value: Any) -> NoReturn:
    """Raise `ArgumentError`: `relation` does not hold for `value`."""
    raise ArgumentError(f"{relation}: got {shown(value)}")


def check_function(name: str, value: Any) -> None:
    """`value` can be called."""
    if not callable(value):
        refuse(f"{name} is a function", value)


def check_numbers(**values: Any) -> None:
    """Each value is a number of the host."""
    for name, value in values.items():
        number: Any = value if isinstance(value, Real) and not isinstance(value, bool) else None
        if number is None or not -LARGEST <= number <= LARGEST:
            refuse(f"{name} is a number from -2**63 to 2**63", value)


def check_text(name: str, value: Any) -> None:
    """`value` is a text."""
    if not isinstance(value, str):
        refuse(f"{name} is a text", value)


def check_order(value: Any) -> None:
    """`value` is 1 or 2."""
    if type(value) is not int or value not in (1, 2):
        refuse("order is 1 or 2", value)


def names_of(backends: Any, default: Sequence[str]) -> list[str]:
    """Return the names of libraries, those of `default` for None."""
    if backends is None:
        return list(default)
    if isinstance(backends, str) or is_array(backends) or not isinstance(backends, Iterable):
        refuse("backends is an iterable of names", backends)
    names = list(backends)
    for name in names:
        if not isinstance(name, str):
            refuse("backends is an iterable of names", name)
    return names
