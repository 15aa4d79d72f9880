"""Checks of single arguments: each returns what it was given, as Python has it.

`what` is how a message names the argument: ``"DataLoader: batch_size"``.
"""

from __future__ import annotations

import inspect
from typing import Any

from portanet.checks.hyperparameters import LARGEST, is_finite, is_integer
from portanet.errors import ArgumentError, HyperparameterError, ShapeError, shown
from portanet.interface import is_array


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


def takes(function: Any, count: int) -> bool:
    """Whether `function` can be called with so many arguments, as far as it says."""
    if not callable(function):
        return False
    try:
        inspect.signature(function).bind(*[None] * count)
    except TypeError:
        return False
    except ValueError:  # a function of C that does not say what it takes
        return True
    return True


def pair(what: str, data: Any) -> tuple[Any, Any]:
    """Return the input and the target of a batch, a pair of both."""
    if isinstance(data, tuple | list) and len(data) == 2:
        return data[0], data[1]
    shape: Any = getattr(data, "shape", ())
    if is_array(data):
        found = (
            f"an array of shape {tuple(shape)}: a list is one of batches, give the arrays of "
            f"one batch as a tuple"
        )
    elif isinstance(data, tuple | list):
        found = (
            f"a {type(data).__name__} of {len(data)}: a loss of your own, a function "
            f"loss(model, ps, st, data), takes other batches"
        )
    else:
        found = f"a {type(data).__name__}"
    raise ShapeError(f"{what} is a pair (x, target): got {found}")


def function_of(what: str, value: Any) -> Any:
    """Return a function."""
    if not callable(value):
        raise ArgumentError(f"{what} is a function: got {shown(value)}")
    return value
