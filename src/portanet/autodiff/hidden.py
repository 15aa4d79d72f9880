"""Traced arrays in results that are no trees, where nobody would take them out of their trace."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from types import MemberDescriptorType
from typing import Any

import numpy as np

from portanet import trees
from portanet.errors import TracedValueError
from portanet.interface import backend_of, is_array
from portanet.random import Key
from portanet.tape import Box

_MOST = 1000  # objects that are looked into
_PLAIN = (bool, int, float, complex, str, bytes, type(None), type, np.generic, Key)


def refuse_hidden(leaves: list[Any], tree: Any) -> None:
    """Raise for a leaf of a function's result that is no array and has a traced one in it.

    Parameters
    ----------
    leaves : list
        Those of `tree`, a result inside of a derivative, a batch or a recording.
    tree : tree

    Raises
    ------
    TracedValueError
        With the path of the leaf, its class and where in it the array is.
    """
    for i, leaf in enumerate(leaves):
        if isinstance(leaf, (*_PLAIN, Box)) or _is_recorded(leaf) or _is_of_numbers(leaf):
            continue
        where = _place_of_traced(leaf)
        if where is not None:
            path = trees.flatten_with_paths(tree)[i][0]
            kind = type(leaf).__name__
            raise TracedValueError(
                f"{f'the result at {path!r}' if path else 'the result'} is a {kind}, which is no "
                f"tree, and {kind}{where} is a traced array, which would never get its value: "
                f"return dicts, tuples or lists, or make {kind} a tree with pn.register_tree"
            )


def _place_of_traced(leaf: Any) -> str | None:
    """Return where in an object the first traced array is, as text behind its name."""
    known: set[int] = set()
    waiting: deque[tuple[str, Any]] = deque([("", leaf)])
    while waiting and len(known) < _MOST:
        where, x = waiting.popleft()
        if id(x) in known or (isinstance(x, _PLAIN) and not _is_recorded(x)):
            continue
        known.add(id(x))
        if _is_recorded(x):
            return where
        if _is_of_numbers(x):
            if backend_of(x).is_traced(x):
                return where
            continue
        waiting.extend((where + name, part) for name, part in _parts(x))
    return None


def _is_recorded(x: Any) -> bool:
    """Whether `x` stands for something else in a recording: an array, a key or a number."""
    return getattr(type(x), "recorded", False)


def _is_of_numbers(x: Any) -> bool:
    """Whether `x` is an array, and not one of NumPy's that holds any objects."""
    return is_array(x) and not (isinstance(x, np.ndarray) and x.dtype.kind == "O")


def _parts(x: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(x, np.ndarray):
        yield from ((f"[{i}]", value) for i, value in enumerate(x.flat))
    elif isinstance(x, Mapping):
        yield from ((f"[{key!r}]", value) for key, value in list(x.items()))
    elif isinstance(x, list | tuple | deque):
        yield from ((f"[{i}]", value) for i, value in enumerate(x))
    elif isinstance(x, set | frozenset):
        yield from (("{…}", value) for value in x)
    if not callable(x):
        yield from ((f".{name}", value) for name, value in _attributes(x))


def _attributes(x: Any) -> Iterator[tuple[str, Any]]:
    """Yield the attributes that an object itself has."""
    yield from list(getattr(x, "__dict__", {}).items())
    for kind in type(x).__mro__:
        for name, member in vars(kind).items():
            if isinstance(member, MemberDescriptorType) and hasattr(x, name):
                yield name, getattr(x, name)
