"""Checks of hyperparameters: once, in ``__post_init__`` of a frozen dataclass.

Each function takes the instance and the names of its fields, and turns NumPy scalars into Python
ones on the way.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence, Set
from numbers import Integral, Real
from typing import Any, NoReturn, TypeAlias

import numpy as np

from portanet.errors import HyperparameterError, shown

Size: TypeAlias = Any
"""An integer, or None in a layer that takes it from its input."""

LARGEST = 2**63 - 1
"""The largest integer that libraries take for a size, an axis or a count."""

Sizes: TypeAlias = Any
"""A field that `sizes` checks: an integer or a sequence of them when given, a tuple afterwards."""


def refuse(owner: Any, relation: str, value: Any) -> NoReturn:
    """Raise `HyperparameterError`: `relation` does not hold for `value`, a field of `owner`."""
    raise HyperparameterError(f"{type(owner).__name__}: {relation}: got {shown(value)}")


def integers(owner: Any, *names: str, minimum: int | None = 1) -> None:
    """Each field is an integer, at least `minimum`."""
    for name in names:
        value = _integer(owner, name, getattr(owner, name), minimum)
        object.__setattr__(owner, name, value)


def optional_integers(owner: Any, *names: str, minimum: int | None = 1) -> None:
    """Each field is None or an integer, at least `minimum`."""
    integers(owner, *(n for n in names if getattr(owner, n) is not None), minimum=minimum)


def sizes(owner: Any, *names: str, minimum: int | None = 1) -> None:
    """Each field is an integer or a sequence of them, at least `minimum`; it becomes a tuple."""
    for name in names:
        value = getattr(owner, name)
        if isinstance(value, Integral):
            value = (value,)
        elif not _is_sequence(value):
            refuse(owner, f"{name} is an integer or a sequence of integers", value)
        entries = tuple(_integer(owner, f"{name}[{i}]", n, minimum) for i, n in enumerate(value))
        if not entries:
            refuse(owner, f"{name} has at least one size", entries)
        object.__setattr__(owner, name, entries)


def optional_sizes(owner: Any, *names: str, minimum: int | None = 1) -> None:
    """Each field is None, or as for `sizes`."""
    sizes(owner, *(n for n in names if getattr(owner, n) is not None), minimum=minimum)


def finite(owner: Any, *names: str) -> None:
    """Each field is a finite real number."""
    for name in names:
        value = getattr(owner, name)
        if not is_finite(value):
            refuse(owner, f"{name} is a finite number", value)
        if isinstance(value, int) and abs(value) > LARGEST:
            object.__setattr__(owner, name, float(value))  # libraries take no longer integers
        if isinstance(value, np.generic):
            object.__setattr__(owner, name, value.item())


def positive(owner: Any, *names: str) -> None:
    """Each field is a finite number above zero."""
    finite(owner, *names)
    for name in names:
        if not getattr(owner, name) > 0:
            refuse(owner, f"{name} > 0", getattr(owner, name))


def non_negative(owner: Any, *names: str) -> None:
    """Each field is a finite number, zero or above."""
    finite(owner, *names)
    for name in names:
        if not getattr(owner, name) >= 0:
            refuse(owner, f"{name} >= 0", getattr(owner, name))


def probabilities(owner: Any, *names: str) -> None:
    """Each field is a number in the closed interval from 0 to 1."""
    finite(owner, *names)
    for name in names:
        if not 0 <= getattr(owner, name) <= 1:
            refuse(owner, f"0 <= {name} <= 1", getattr(owner, name))


def decays(owner: Any, *names: str) -> None:
    """Each field is a number from 0 up to, not including, 1."""
    finite(owner, *names)
    for name in names:
        if not 0 <= getattr(owner, name) < 1:
            refuse(owner, f"0 <= {name} < 1", getattr(owner, name))


def functions(owner: Any, *names: str) -> None:
    """Each field can be called."""
    for name in names:
        if not callable(getattr(owner, name)):
            refuse(owner, f"{name} is a function", getattr(owner, name))


def optional_functions(owner: Any, *names: str) -> None:
    """Each field is None or can be called."""
    functions(owner, *(name for name in names if getattr(owner, name) is not None))


def positives(owner: Any, name: str, other: str) -> None:
    """The field is a number > 0, or a sequence as long as the field `other`; now a tuple."""
    count = len(getattr(owner, other))
    value = getattr(owner, name)
    entries = tuple(value) if _is_sequence(value) else (value,)
    if not all(is_finite(entry) and entry > 0 for entry in entries):
        refuse(owner, f"{name} > 0", value)
    if len(entries) != count:
        refuse(owner, f"len({name}) == len({other}) == {count}", value)
    object.__setattr__(owner, name, tuple(map(float, entries)))


def pairs(owner: Any, *names: str) -> None:
    """Each field is a pair of finite numbers; it becomes a tuple of floats."""
    for name in names:
        value = getattr(owner, name)
        if not (_is_sequence(value) and len(value) == 2 and all(map(is_finite, value))):
            refuse(owner, f"{name} is a pair of finite numbers", value)
        object.__setattr__(owner, name, tuple(map(float, value)))


def flags(owner: Any, *names: str) -> None:
    """Each field is True or False."""
    for name in names:
        if not isinstance(getattr(owner, name), bool):
            refuse(owner, f"{name} is True or False", getattr(owner, name))


def one_of(owner: Any, name: str, options: Sequence[Any]) -> None:
    """The field is one of `options`."""
    value = getattr(owner, name)
    if not any(type(value) is type(option) and value == option for option in options):
        refuse(owner, f"{name} is one of {', '.join(map(repr, options))}", value)


def _is_sequence(value: Any) -> bool:
    """Whether `value` has entries in an order, and ends."""
    if isinstance(value, str | bytes | Set | Mapping) or not isinstance(value, Collection):
        return False
    is_array = hasattr(value, "shape")
    return not is_array or (isinstance(value, np.ndarray) and value.ndim > 0)


def is_finite(value: Any) -> bool:
    """Whether `value` is a real number that a float can hold."""
    if isinstance(value, bool) or not isinstance(value, Real):
        return False
    try:
        return math.isfinite(value)
    except OverflowError:  # an integer that no float holds
        return False


def is_integer(value: Any) -> bool:
    """Whether `value` is an integer, of Python or NumPy."""
    return isinstance(value, Integral) and not isinstance(value, bool)


def _integer(owner: Any, name: str, value: Any, minimum: int | None) -> int:
    if not is_integer(value):
        refuse(owner, f"{name} is an integer", value)
    if minimum is not None and value < minimum:
        refuse(owner, f"{name} >= {minimum}", value)
    if abs(int(value)) > LARGEST:
        refuse(owner, f"{name} is an integer of 64 bits", value)
    return int(value)
