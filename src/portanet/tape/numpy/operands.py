"""What the bodies are made of: operands as arrays, axes as integers, constant functions."""

from __future__ import annotations

import functools
import operator
import sys
from collections.abc import Callable
from typing import Any, NoReturn

import numpy as np

from portanet.errors import NoDerivativeError, ShapeError, TracedValueError
from portanet.tape import calls
from portanet.tape.box import Box, strip, taken_out
from portanet.tape.ops.card import Card
from portanet.tape.ops.table import card_of

NOT_GIVEN: Any = np._NoValue
"""What NumPy's signatures have in the place of an argument that was left out."""

HARMLESS = frozenset({"casting", "order", "subok"})
"""The options of universal functions that change no number of a result."""


def array(xp: Any, x: Any) -> Any:
    """Return an operand as an array: a traced one as it is, a list of traced ones stacked."""
    if isinstance(x, Box):
        return x
    if isinstance(x, list | tuple) and calls.has_box(x):
        return xp.stack([array(xp, part) for part in x])
    return np.asarray(x)


def arrays(xp: Any, operands: Any) -> list[Any]:
    """Return a sequence of operands as arrays; the rows of one array count as a sequence."""
    return [array(xp, x) for x in operands]


def flat(xp: Any, x: Any) -> Any:
    """Return an operand as a vector."""
    x = array(xp, x)
    return x if x.ndim == 1 else xp.reshape(x, (-1,))


def raised(xp: Any, x: Any) -> Any:
    """Return an operand as an array with one axis or more."""
    x = array(xp, x)
    return x if x.ndim else xp.reshape(x, (1,))


def floating(xp: Any, x: Any) -> Any:
    """Convert integers and booleans as NumPy's statistics do, to float64."""
    return x if x.dtype.kind in "fc" else xp.astype(x, np.dtype(np.float64))


def axes(axis: Any) -> Any:
    """Return one axis as an int, several as a tuple of ints, None as None."""
    if axis is None or type(axis) is int:
        return axis
    if isinstance(axis, tuple | list):
        return tuple(map(operator.index, axis))
    return operator.index(axis)


def one_axis(name: str, axis: Any, rank: int) -> int:
    """Return an axis counted from the first, refusing one that the array does not have."""
    axis = operator.index(axis)
    if not -rank <= axis < rank:
        raise ShapeError(f"{name}: -{rank} <= axis < {rank} does not hold for axis = {axis}")
    return axis % rank


def along(xp: Any, x: Any, axis: Any) -> tuple[Any, int]:
    """Return an operand and the axis to go along; without an axis a vector and its only one.

    A number is a vector of one element where an axis is gone along.
    """
    return strictly_along(xp, x if axis is None else raised(xp, x), axis)


def strictly_along(xp: Any, x: Any, axis: Any) -> tuple[Any, int]:
    """Return what `along` does, refusing an axis of a number."""
    if axis is None:
        return flat(xp, x), 0
    x = array(xp, x)
    return x, one_axis("axis", axis, x.ndim)


def window(axis: int, start: Any, stop: Any = None, step: Any = None) -> tuple[Any, ...]:
    """Return the index of a slice along one axis."""
    return (*(slice(None),) * axis, slice(start, stop, step), ...)


def concrete(name: str, x: Any) -> Any:
    """Return the plain array that decides a shape, refusing one of a batch or a recording."""
    x = taken_out(strip(x))
    if isinstance(x, Box):
        raise TracedValueError(
            f"{name} decides the shape of the result, which is the same in every entry of a batch "
            "and in every call of a recorded function: give it as a plain array"
        )
    return x


@functools.cache
def constant(xp: Any, function: Callable[..., Any]) -> Callable[..., Any]:
    """Return NumPy's function as one whose result does not change with its traced arguments."""
    name = function_name(function)
    own = name.removeprefix("numpy.")
    return calls.constant(xp, Card(name) if own == name else card_of(own), function)


@functools.cache
def function_name(function: Any) -> str:
    """Return the full name of a function, with the library that it belongs to."""
    name = getattr(function, "__name__", repr(function))
    if not isinstance(function, np.ufunc):
        return f"{function.__module__}.{name}"
    for home in ("numpy", "scipy.special", "scipy.special._ufuncs"):
        there = getattr(sys.modules.get(home), name, None)
        if getattr(there, "__wrapped__", there) is function:
            return f"{home.removesuffix('._ufuncs')}.{name.lstrip('_')}"
    return name


def unruled(xp: Any, ufunc: Any, instead: str) -> Callable[..., Any]:
    """Return a universal function without a rule: batched and recorded, but not differentiated."""
    name = function_name(ufunc)
    run = calls.constant(xp, Card(name), ufunc)

    def function(*args: Any) -> Any:
        if any(strip(x) is not x for x in args if isinstance(x, Box)):
            refuse(name, instead)
        return run(*args)

    return function


def refuse_out(function: Any) -> NoReturn:
    """Refuse to write into an array; a method is given by its name."""
    name = function if isinstance(function, str) else function_name(function)
    raise TracedValueError(f"{name} cannot write a traced result into out=: use what it returns")


def refuse(what: str, instead: str) -> NoReturn:
    """Refuse what has no derivative rule, and say what does the job."""
    raise NoDerivativeError(f"{what} has no derivative rule: {instead}")
