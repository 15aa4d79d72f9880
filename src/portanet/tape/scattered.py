"""Cotangents of reading by index that wait until all of them have arrived.

Each entry that a loop reads has a cotangent of its own. Added up one by one, as arrays of the full
size, n of them would cost n² steps; so they are kept, and put into one array together.
"""

from __future__ import annotations

from typing import Any


class Scattered:
    """The cotangent of an array of which parts were read: theirs, and one of the whole if any."""

    __slots__ = ("keys", "parts", "rest", "shape", "xp")

    def __init__(self, xp: Any, part: Any, key: Any, shape: tuple[int, ...]) -> None:
        self.xp = xp
        self.parts = [part]
        self.keys = [key]
        self.shape = shape
        self.rest: Any = None

    def __add__(self, other: Any) -> Scattered:
        """Take in another cotangent of the same array; nobody else holds this one."""
        if type(other) is Scattered:
            self.parts += other.parts
            self.keys += other.keys
            other = other.rest
        if other is not None:
            self.rest = other if self.rest is None else self.rest + other
        return self

    def total(self) -> Any:
        if len(self.parts) == 1:
            total = self.xp.scatter_getitem(self.parts[0], self.keys[0], self.shape)
        else:
            total = self.xp.scatter_sum(*self.parts, keys=tuple(self.keys), shape=self.shape)
        return total if self.rest is None else total + self.rest


def summed(before: Any, part: Any) -> Any:
    """Add two cotangents of one array, either of which may be scattered."""
    return part + before if type(part) is Scattered else before + part
