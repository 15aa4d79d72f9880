"""The texts of kernels: operations of a program as statements of C++."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from portanet.tracing.plan.fused_words import (
    C_TYPES,
    PREAMBLE,
    held,
    literal,
    rounded,
    words,
)
from portanet.tracing.program import Opaque, Operation, Variable

_LONGEST = 60  # characters of a kernel's name


@dataclass(frozen=True, slots=True)
class Text:
    """A kernel as ``cupy.ElementwiseKernel`` takes it."""

    inputs: str
    outputs: str
    body: str
    name: str
    preamble: str


class Statements:
    """Writes operations as statements; a subclass says how it reads what is given.

    Parameters
    ----------
    operands : list
        What is given to the kernel, in the order of its arguments.
    """

    def __init__(self, operands: list[Any]) -> None:
        self.operands = operands
        self.helpers: set[str] = set()
        self.names: dict[Variable, str] = {}

    def statement(self, operation: Operation, name: str) -> tuple[list[str], str]:
        """Return the statements that give a variable the result of an operation, and its dtype."""
        said = words(operation)
        assert said is not None
        known, call, dtype = said
        self.helpers.update(known.helpers)
        lines: list[str] = []
        texts = [
            self._operand(x, kind, lines) for x, kind in zip(call.args, call.dtypes, strict=True)
        ]
        text = rounded(call.text.format(*texts, type=held(dtype)), dtype)
        lines.append(f"const {held(dtype)} {name} = {text};")
        self.names[operation.result] = name
        return lines, dtype

    def _operand(self, x: Any, dtype: str, lines: list[str]) -> str:
        """Return what an operand is called, or itself; `lines` get what reads it."""
        number = literal(x, dtype)
        if number is not None:
            return number
        if isinstance(x, Variable) and x in self.names:
            return self.names[x]
        return self.given(x, dtype, lines)

    def given(self, x: Any, dtype: str, lines: list[str]) -> str:
        """Return the name of what is neither computed nor said, and is given to the kernel."""
        raise NotImplementedError

    @property
    def preamble(self) -> str:
        return "".join([PREAMBLE, *sorted(self.helpers), "\n"])


def identity(x: Any, dtype: str) -> Any:
    """Return what tells an operand from others: a variable itself, anything else with its dtype."""
    return x if isinstance(x, Variable) and not isinstance(x, Opaque) else (id(x), dtype)


def kernel_name(operations: Sequence[Operation], prefix: str = "portanet") -> str:
    return "_".join([prefix, *(operation.name for operation in operations)])[:_LONGEST]


class Elementwise(Statements):
    """Operations on the entries of arrays, one by one.

    Attributes
    ----------
    text : Text
    """

    def __init__(self, operations: Sequence[Operation], results: Sequence[Variable]) -> None:
        super().__init__([])
        self._inputs: list[str] = []
        self._read: dict[Any, str] = {}
        lines: list[str] = []
        dtypes: dict[Variable, str] = {}
        for number, operation in enumerate(operations):
            written, dtypes[operation.result] = self.statement(operation, f"v{number}")
            lines += written
        outputs = []
        for number, y in enumerate(results):
            outputs.append(f"{dtypes[y]} y{number}")
            lines.append(f"y{number} = static_cast<{C_TYPES[dtypes[y]]}>({self.names[y]});")
        self.text = Text(
            ", ".join(self._inputs),
            ", ".join(outputs),
            "\n".join(lines),
            kernel_name(operations),
            self.preamble,
        )

    def given(self, x: Any, dtype: str, lines: list[str]) -> str:
        key = identity(x, dtype)
        if key not in self._read:
            i = len(self.operands)
            self.operands.append(x)
            self._inputs.append(f"{dtype} a{i}")
            self._read[key] = f"x{i}"
            lines.append(f"const {held(dtype)} x{i} = static_cast<{held(dtype)}>(a{i});")
        return self._read[key]
