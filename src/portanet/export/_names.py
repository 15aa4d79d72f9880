"""What to call what an exported function consists of."""

from __future__ import annotations

import functools
import inspect
import keyword
import types
from collections.abc import Callable, Collection, Iterator
from typing import Any

import numpy as np

from portanet import trees


def name_of(function: Callable[..., Any], taken: Collection[str]) -> str:
    """Return the name of a function, ``predict`` in the place of none and of a `taken` one."""
    name = getattr(function, "__name__", "")
    usable = name.isidentifier() and not keyword.iskeyword(name)
    return name if usable and name not in taken else "predict"


def known_arrays(function: Callable[..., Any]) -> dict[int, tuple[str, np.ndarray]]:
    """Return what to call the arrays that a function holds, by the arrays' identities.

    One in a tree goes by its path, one alone by the name of its variable. The arrays stand beside
    their names, so that the identities stay theirs.
    """
    known: dict[int, tuple[str, np.ndarray]] = {}
    for name, held in _held(function, set()):
        try:
            leaves = trees.flatten_with_paths(held)
        except Exception:  # what is no tree has no paths, and its arrays have plain names
            continue
        for path, x in leaves:
            if isinstance(x, np.ndarray):
                known.setdefault(id(x), (path or name, x))
    return known


def _held(function: Any, seen: set[int]) -> Iterator[tuple[str, Any]]:
    """Yield the trees that a function, and the functions that it calls, hold in their closures."""
    if id(function) in seen:
        return
    seen.add(id(function))
    for name, value in _around(function):
        if isinstance(value, dict | list | tuple | np.ndarray):
            yield name, value
        elif callable(value):
            yield from _held(value, seen)


def _around(function: Any) -> Iterator[tuple[str, Any]]:
    """Yield what a function finds around it, with its names there."""
    if isinstance(function, functools.partial):
        yield "", function.func
        yield from (("", x) for x in function.args)
        yield from function.keywords.items()
    elif isinstance(function, types.MethodType):
        yield "", function.__func__
        yield from vars(function.__self__).items()
    elif isinstance(function, types.FunctionType):
        found = inspect.getclosurevars(function)
        yield from found.nonlocals.items()
        yield from found.globals.items()
        yield from (("", x) for x in function.__defaults__ or ())
    else:
        yield "", getattr(function, "__wrapped__", None)
