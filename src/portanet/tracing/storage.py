"""Where the arrays of a program live: each in memory that nothing alive uses at the time."""

from __future__ import annotations

import bisect
from collections.abc import Iterable
from typing import Any


class Slots:
    """Pieces of memory that are lent, given back and lent again.

    Attributes
    ----------
    sizes : list of int
        The bytes of each piece; their sum is the memory that the program holds between calls.
    """

    def __init__(self) -> None:
        self.sizes: list[int] = []
        self._free: list[tuple[int, int]] = []

    def lend(self, nbytes: int) -> int:
        """Return the number of the smallest free piece that fits, or of a new one."""
        place = bisect.bisect_left(self._free, (nbytes, -1))
        if place < len(self._free) and self._free[place][0] <= 4 * nbytes:
            return self._free.pop(place)[1]
        self.sizes.append(nbytes)
        return len(self.sizes) - 1

    def give_back(self, slot: int) -> None:
        bisect.insort(self._free, (self.sizes[slot], slot))


def last_uses(steps: Iterable[Any], owners: Any) -> dict[Any, int]:
    """Return for each variable that owns memory the number of the last step that reads it.

    Parameters
    ----------
    steps : iterable
        Each has `reads`, the variables that it reads.
    owners : Owners
        Whose memory a variable looks at.
    """
    last: dict[Any, int] = {}
    for number, step in enumerate(steps):
        for variable in step.reads:
            for owner in owners.of(variable):
                last[owner] = number
    return last
