"""Programs: what a function did with its arrays, as a straight list of operations."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True, eq=False)
class Variable:
    """An array of a program: an input or the result of one operation."""

    shape: tuple[int, ...]
    dtype: Any

    @property
    def size(self) -> int:
        size = 1
        for n in self.shape:
            size *= n
        return size


@dataclass(frozen=True, slots=True, eq=False)
class Operation:
    """One call of a primitive.

    Parameters
    ----------
    primitive : Primitive
    args : sequence
        Variables, constant arrays and static values, by position.
    options : dict
        Static values and constant arrays, by keyword.
    result : Variable
    """

    primitive: Any
    args: Sequence[Any]
    options: dict[str, Any]
    result: Variable

    @property
    def name(self) -> str:
        return self.primitive.name

    @property
    def operands(self) -> list[Variable]:
        """The variables among the arguments."""
        return [x for x in self.args if isinstance(x, Variable)]


@dataclass(slots=True)
class Program:
    """A recorded function of arrays.

    Parameters
    ----------
    inputs : list of Variable
    operations : list of Operation
        In an order in which each one's operands come before it.
    outputs : list
        Variables, and constant arrays where an output does not depend on the inputs.
    """

    inputs: list[Variable]
    operations: list[Operation] = field(default_factory=list)
    outputs: list[Any] = field(default_factory=list)
