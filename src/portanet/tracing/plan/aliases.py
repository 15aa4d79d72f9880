"""Aliases: whose memory the variables of a program lie in."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from portanet.tracing.program import Variable


class Aliases:
    """Whose memory each variable lies in: its own, or that of those it looks at."""

    def __init__(self) -> None:
        self._owners: dict[Variable, tuple[Variable, ...]] = {}
        self._moved: dict[Variable, Variable] = {}

    def add(self, variable: Variable, seen: Iterable[Any]) -> None:
        """Note that a variable may look at the memory of others."""
        owners = dict.fromkeys(o for v in seen if isinstance(v, Variable) for o in self.of(v))
        if owners:
            self._owners[variable] = tuple(owners)

    def move(self, owner: Variable, whole: Variable) -> None:
        """Note that a variable lies in the memory of a larger one."""
        self._moved[owner] = whole

    def made(self, variable: Variable) -> tuple[Variable, ...]:
        """Return whose memory a variable was made in, wherever that has moved since."""
        return self._owners.get(variable, (variable,))

    def of(self, variable: Variable) -> tuple[Variable, ...]:
        owners = self.made(variable)
        if not self._moved:
            return owners
        return tuple(self._moved.get(owner, owner) for owner in owners)
