"""What a function finds around it: names of its module, of what made it, of its object.

A program holds their values as constants. So it is that of a function as long as the function
finds the same, and one that is made anew for each call is known by its code and what it finds.
"""

from __future__ import annotations

import dis
from collections.abc import Iterator
from functools import lru_cache, partial
from types import CellType, CodeType, FunctionType, MethodType
from typing import Any

_MISSING: Any = object()
_FIXED = "of the function itself"
_PLAIN = (bool, int, float, complex, str, bytes, tuple, type(None))


class Surroundings:
    """What a function found when it was recorded.

    Attributes
    ----------
    code : CodeType or None
        None for what is no Python function: it is known by its identity alone.
    """

    def __init__(self, function: Any) -> None:
        inner = _inner(function)
        self.code = inner and inner.__code__
        self._found = list(_found(function, inner, [])) if inner else []
        self._watched = [entry for entry in self._found if entry[0] is not _FIXED]

    def values(self) -> list[tuple[str, Any]]:
        """Return what was found, with its names."""
        return [(name, value) for _, name, value in self._found]

    def changed(self) -> str | None:
        """Return a name that stands for something else by now, None if there is none."""
        for place, name, value in self._watched:
            now = place.get(name, _MISSING) if type(place) is dict else _contents(place)
            if now is not value and not _equal(now, value):
                return name
        return None

    def difference(self, other: Surroundings) -> str | None:
        """Return a name that another function of the same code finds otherwise."""
        for (_, name, value), (_, also, found) in zip(self._found, other._found, strict=False):
            if name != also or (value is not found and not _equal(value, found)):
                return name
        return None

    def alike(self, other: Surroundings) -> bool:
        """Whether two functions have the same code and found the same."""
        same = self.code is not None and self.code is other.code
        return same and len(self._found) == len(other._found) and self.difference(other) is None


def _equal(x: Any, y: Any) -> bool:
    return type(x) is type(y) and type(x) in _PLAIN and repr(x) == repr(y)


def _inner(function: Any) -> FunctionType | None:
    """Return the Python function that a callable runs, None if it is not of the user's."""
    while isinstance(function, partial):
        function = function.func
    if isinstance(function, MethodType):
        function = function.__func__
    elif not isinstance(function, FunctionType):
        function = type(function).__call__ if callable(function) else None
    if not isinstance(function, FunctionType) or str(function.__module__).startswith("portanet."):
        return None
    return function


def _found(
    outer: Any, function: FunctionType, known: list[FunctionType]
) -> Iterator[tuple[Any, str, Any]]:
    """Yield where a function finds a value, its name there and the value, of helpers too."""
    known.append(function)
    while isinstance(outer, partial):
        for name, value in (*enumerate(outer.args), *sorted(outer.keywords.items())):
            yield _FIXED, str(name), value
        outer = outer.func
    names, attributes = _names(function.__code__)
    places = [(function.__globals__, name) for name in names if name in function.__globals__]
    owner = getattr(outer, "__self__", outer)
    if owner is not function:
        fields = getattr(owner, "__dict__", {})
        places += [(fields, name) for name in attributes if name in fields]
    values = [(place, name, place[name]) for place, name in places]
    cells = zip(function.__code__.co_freevars, function.__closure__ or (), strict=True)
    values += [(cell, name, _contents(cell)) for name, cell in cells]
    defaults = *(function.__defaults__ or ()), *(function.__kwdefaults__ or {}).values()
    values += [(_FIXED, "default", value) for value in defaults]
    for place, name, value in values:
        yield place, name, value
        if isinstance(value, FunctionType) and value not in known:
            ours = value.__globals__ is function.__globals__ or isinstance(place, CellType)
            if ours and not str(value.__module__).startswith("portanet."):
                yield from _found(value, value, known)


def _contents(cell: CellType) -> Any:
    try:
        return cell.cell_contents
    except ValueError:
        return _MISSING


@lru_cache(maxsize=256)
def _names(code: CodeType) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the global names and the attributes that some code and the code within it read."""
    names: dict[str, None] = {}
    attributes: dict[str, None] = {}
    for instruction in dis.get_instructions(code):
        if instruction.opname == "LOAD_GLOBAL":
            names[instruction.argval] = None
        elif instruction.opname in ("LOAD_ATTR", "LOAD_METHOD"):
            attributes[instruction.argval] = None
    for inner in code.co_consts:
        if isinstance(inner, CodeType):
            for found, more in zip((names, attributes), _names(inner), strict=True):
                found.update(dict.fromkeys(more))
    return tuple(names), tuple(attributes)
