"""The surroundings of a function: all that it can read besides its arguments."""

from __future__ import annotations

from functools import partial
from types import CodeType, FunctionType, MethodType
from typing import Any
from weakref import proxy

from portanet.tracing.watch.entries import Attribute, condition
from portanet.tracing.watch.walk import Walk


class Surroundings:
    """What some functions and objects found around them at one moment.

    Parameters
    ----------
    *roots : object
        The first is known by its code.
    unheld : object, optional
        Whose attributes are watched without keeping it alive; it is there whenever it is asked.

    Attributes
    ----------
    code : CodeType or None
        None for what is no Python function: it is known by its identity alone.
    generators : list of tuple
        Generators of random numbers that were found, with their names.
    unseen : str or None
        What among it may change without a sign, and why.
    unchanged : callable or None
        Says in no time whether all is as it was; None if nothing can change. It may be mistaken
        where something equal was put in the place of something: `changed` makes sure.
    """

    __slots__ = ("_entries", "code", "generators", "unchanged", "unseen")

    def __init__(self, *roots: Any, unheld: Any = None) -> None:
        self.code = _code(roots[0])
        walks = list(map(Walk, roots))
        self._entries = [entry for walk in walks for entry in walk.entries]
        self.generators = [found for walk in walks for found in walk.generators]
        self.unseen = next((walk.unseen for walk in walks if walk.unseen), None)
        for entry in self._entries:
            if entry.holder is unheld and isinstance(entry, Attribute):
                entry.holder = proxy(unheld)
        self.unchanged = condition(self._entries)

    def changed(self) -> str | None:
        """Return the name of something that is another one by now, None if there is none."""
        if self.unchanged is None or self.unchanged():
            return None
        for entry in self._entries:
            if not entry.is_same():
                return entry.label
        self.take()
        return None

    def take(self) -> None:
        """Take what is found now for what was found."""
        for entry in self._entries:
            entry.take()
        self.unchanged = condition(self._entries)

    def difference(self, other: Surroundings) -> str | None:
        """Return the name of something that another function of the same code finds otherwise."""
        for mine, theirs in zip(self._entries, other._entries, strict=False):
            if type(mine) is not type(theirs) or mine.label != theirs.label:
                return mine.label
            if not mine.is_like(theirs):
                return mine.label
        return None

    def alike(self, other: Surroundings) -> bool:
        """Whether two functions have the same code and found the same."""
        same = self.code is not None and self.code is other.code
        return same and len(self._entries) == len(other._entries) and self.difference(other) is None


def _code(function: Any) -> CodeType | None:
    while isinstance(function, partial):
        function = function.func
    if isinstance(function, MethodType):
        function = function.__func__
    elif not isinstance(function, FunctionType):
        function = type(function).__call__ if callable(function) else None
    if not isinstance(function, FunctionType) or str(function.__module__).startswith("portanet."):
        return None
    return function.__code__
