"""How a kernel of rows reads what is given to it."""

from __future__ import annotations

from typing import Any

import numpy as np

from portanet.tracing.plan.fused_levels import Level
from portanet.tracing.plan.fused_text import identity
from portanet.tracing.plan.fused_words import C_TYPES, held, rounded
from portanet.tracing.program import Opaque


class Reads:
    """The arguments of a kernel of rows.

    Parameters
    ----------
    axes : int
        The axes before the last.

    Attributes
    ----------
    operands : list
        What is given, in the order of the arguments.
    inputs : list of str
        What each is, in the words of `portanet.tracing.plan.fused_rows.RowText`.
    parameters : list of str
        As the kernel declares them.
    numbers : list of str
        Statements that round what is given as a number.
    """

    def __init__(self, axes: int) -> None:
        self.axes = axes
        self.operands: list[Any] = []
        self.inputs: list[str] = []
        self.parameters: list[str] = []
        self.numbers: list[str] = []
        self._pointers: list[str] = []
        self._places: dict[Any, int] = {}
        self._of_all: dict[Any, str] = {}
        self._of_row: dict[Any, str] = {}
        self._of_entry: dict[Any, str] = {}

    def begin_turn(self) -> None:
        """Forget what was read for a row."""
        self._of_row = {}

    def begin_pass(self) -> None:
        """Forget what was read for an entry."""
        self._of_entry = {}

    def pointers(self) -> list[str]:
        """Return the statements that find the row in each array."""
        lines, rest = [], "row"
        for axis in range(self.axes - 1, 0, -1):
            lines.append(f"const long long i{axis} = ({rest}) % n{axis};")
            rest = f"({rest}) / n{axis}"
        lines += [f"const long long i0 = {rest};"] if self.axes else []
        return [*lines, *self._pointers]

    def name(self, x: Any, dtype: str, level: Level, lines: list[str]) -> str:
        """Return what an operand is called on a level; `lines` get what reads it."""
        if isinstance(x, Opaque | bool | int | float | np.generic):
            return self._number(x, dtype)
        how = "row" if level is Level.DROPPED else "array"
        key = identity(x, dtype), how
        depth = 0 if level.is_total else 1 if level.is_of_rows else 2
        seen = (self._of_all, self._of_row, self._of_entry)[: depth + 1]
        for read in seen:
            if key in read:
                return read[key]
        i = self._placed(key, x, dtype)
        place = (f"a{i}[0]", f"p{i}[0]", f"p{i}[column * a{i}_last]")[depth]
        name = seen[depth][key] = f"{'tre'[depth]}{i}"
        lines.append(f"const {held(dtype)} {name} = static_cast<{held(dtype)}>({place});")
        return name

    def _placed(self, key: Any, x: Any, dtype: str) -> int:
        """Return the number of an array among the arguments, which it joins."""
        if key in self._places:
            return self._places[key]
        i = self._places[key] = len(self.operands)
        self.operands.append(x)
        self.inputs.append(key[1])
        strides = [f"a{i}_{axis}" for axis in range(self.axes)]
        steps = [*strides, f"a{i}_last"] if key[1] == "array" else strides
        pointer = f"const {C_TYPES[dtype]} *"
        self.parameters += [f"{pointer}a{i}", *(f"const long long {step}" for step in steps)]
        place = " + ".join([f"a{i}", *(f"i{axis} * {step}" for axis, step in enumerate(strides))])
        self._pointers.append(f"{pointer}p{i} = {place};")
        return i

    def _number(self, x: Any, dtype: str) -> str:
        """Return the name of a number, which is given as it is and rounded in the kernel."""
        key = identity(x, dtype), "number"
        if key not in self._of_all:
            i, kind = len(self.operands), "double" if dtype.startswith("float") else "long long"
            self.operands.append(x)
            self.inputs.append(kind)
            self.parameters.append(f"const {kind} a{i}")
            self.numbers.append(f"const {held(dtype)} x{i} = {rounded(f'a{i}', dtype)};")
            self._of_all[key] = f"x{i}"
        return self._of_all[key]
