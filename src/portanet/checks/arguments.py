"""Checks of single arguments: each returns what it was given, as Python has it.

`what` is how a message names the argument: ``"DataLoader: batch_size"``.
"""

from __future__ import annotations

from typing import Any

from portanet.checks.hyperparameters import LARGEST, is_finite, is_integer
from portanet.errors import ArgumentError, HyperparameterError, shown


def integer(what: str, value: Any, minimum: int) -> int:
    """Return an integer of 64 bits, at least `minimum`."""
    if not is_integer(value) or value < minimum:
        raise HyperparameterError(f"{what} is an integer >= {minimum}: got {shown(value)}")
    if value > LARGEST:
        raise HyperparameterError(f"{what} is an integer of 64 bits: got {shown(value)}")
    return int(value)


def number(what: str, value: Any, minimum: float = 0.0) -> float:
    """Return a finite number, at least `minimum`."""
    if not is_finite(value) or value < minimum:
        raise HyperparameterError(f"{what} is a number >= {minimum:g}: got {shown(value)}")
    return float(value)


def flag_of(what: str, value: Any) -> bool:
    """Return True or False."""
    if not isinstance(value, bool):
        raise HyperparameterError(f"{what} is True or False: got {shown(value)}")
    return value


def function_of(what: str, value: Any) -> Any:
    """Return a function."""
    if not callable(value):
        raise ArgumentError(f"{what} is a function: got {shown(value)}")
    return value
