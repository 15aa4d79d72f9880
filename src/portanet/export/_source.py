"""The text of a program: statements on NumPy's arrays, for people to read."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable, Sequence
from typing import Any

from portanet.export._values import Values
from portanet.export._words import Expression, expression
from portanet.tape.ops.card import Role
from portanet.tracing.compound import Compound
from portanet.tracing.loops.branch import Branch
from portanet.tracing.loops.loop import Loop
from portanet.tracing.loops.while_loop import While
from portanet.tracing.program import Operation, Program, Variable

_SHORT = 60  # characters of an expression that stands within another one
_INDENT = "    "
_WIDTH = 99


class Body(Values):
    """The statements of one function.

    Parameters
    ----------
    known, taken
        See `Values`.

    Attributes
    ----------
    lines : list of str
    helpers : dict
        The texts of functions that the statements call.
    """

    def __init__(self, known: dict[int, str], taken: Iterable[str]) -> None:
        super().__init__(known, taken)
        self.lines: list[str] = []
        self.helpers: dict[str, None] = {}
        self._results: dict[Variable, list[str]] = {}
        self._inlined: set[Variable] = set()
        self._count = 0
        self._depth = 1

    def write(self, program: Program) -> None:
        """Add the statements of a program whose inputs have names."""
        outer, self._inlined = self._inlined, _read_next(program)
        for operation in program.operations:
            self._write(operation)
        self._inlined = outer

    def _line(self, text: str) -> None:
        indent = _INDENT * self._depth
        assigned = re.match(r"([\w, ]+) = ", text)
        if assigned is None or len(indent) + len(text) <= _WIDTH:
            self.lines.append(indent + text)
            return
        name, value = assigned[1], text[assigned.end() :]
        broken = textwrap.wrap(
            value, _WIDTH, initial_indent=indent + _INDENT, subsequent_indent=indent + _INDENT,
            break_long_words=False, break_on_hyphens=False,
        )  # fmt: skip
        self.lines += [f"{indent}{name} = (", *broken, f"{indent})"]

    def new(self, variable: Variable | None = None) -> str:
        """Return a name that is not used yet, that of `variable` from now on."""
        self._count += 1
        name = f"v{self._count}"
        if variable is not None:
            self.names[variable] = name
        return name

    def _write(self, operation: Operation) -> None:
        primitive = operation.primitive
        if isinstance(primitive, Loop):
            self._loop(operation, primitive)
        elif isinstance(primitive, Branch):
            self._branch(operation, primitive)
        elif isinstance(primitive, While):
            self._while(operation, primitive)
        elif operation.card.role is Role.PART and operation.args[0] in self._results:
            self.names[operation.result] = self._results[operation.args[0]][operation.args[1]]
        else:
            if operation.card.role is Role.PRODUCT:
                self._name_products(operation)
            self._state(operation, expression(operation, self))

    def _name_products(self, operation: Operation) -> None:
        """Give names to the operands of a product that hold one, so that each has its statement."""
        for x in operation.operands:
            found = self.expressions.get(x)
            if found is not None and "@" in found.text:
                del self.expressions[x]
                self._line(f"{self.new(x)} = {found.text}")

    def _state(self, operation: Operation, found: Expression) -> None:
        """Add a statement, or keep an expression for the only statement that needs it."""
        if found.helper:
            self.helpers[found.helper] = None
        if operation.result in self._inlined and len(found.text) <= _SHORT:
            self.expressions[operation.result] = found
            return
        self._line(f"{self.new(operation.result)} = {found.text}")

    def _loop(self, operation: Operation, loop: Loop) -> None:
        constants, first, columns = loop.grouped(list(map(self.argument, operation.args)))
        self.names.update(zip(loop.constants, constants, strict=True))
        carry = self._assigned(loop.carry, first)
        sums = [self.new() for _ in loop.summed]
        stacks = [self.new() for _ in loop.stacked]
        for name in sums:
            self._line(f"{name} = 0")
        for name in stacks:
            self._line(f"{name} = []")
        steps = f"range({loop.length})"
        step = f"i{self._count}"
        self._line(f"for {step} in {f'reversed({steps})' if loop.backwards else steps}:")
        self._depth += 1
        for variable, column in zip(loop.rows, columns, strict=True):
            self._line(f"{self.new(variable)} = {column}[{step}]")
        self.write(loop.programs[0])
        for name, y in zip(sums, loop.summed, strict=True):
            self._line(f"{name} = {name} + {self.operand(y)}")
        for name, y in zip(stacks, loop.stacked, strict=True):
            self._line(f"{name}.append({self.argument(y)})")
        self._assign(carry, loop.last)
        self._depth -= 1
        for name in stacks:
            rows = f"{name}[::-1]" if loop.backwards else name
            self._line(f"{name} = np.stack({rows})")
        self._results[operation.result] = [*carry, *stacks, *sums]

    def _branch(self, operation: Operation, branch: Branch) -> None:
        predicate, *operands = map(self.argument, operation.args)
        results = [self.new() for _ in branch.sides[0].outputs]
        for head, side in zip((f"if {predicate}:", "else:"), branch.sides, strict=True):
            self._line(head)
            self._depth += 1
            self.names.update(zip(side.inputs, operands, strict=True))
            self.write(side)
            self._assign(results, side.outputs)
            self._depth -= 1
        self._results[operation.result] = results

    def _while(self, operation: Operation, loop: While) -> None:
        operands = list(map(self.argument, operation.args))
        n = loop.count
        carry = self._assigned(loop.body.inputs[:n], operands[:n])
        for program in (loop.condition, loop.body):
            self.names.update(zip(program.inputs, [*carry, *operands[n:]], strict=True))
        self._line("while True:" if loop.most is None else f"for _ in range({loop.most}):")
        self._depth += 1
        self.write(loop.condition)
        self._line(f"if not {self.argument(loop.condition.outputs[0])}:")
        self._line(f"{_INDENT}break")
        self.write(loop.body)
        self._assign(carry, loop.body.outputs)
        self._depth -= 1
        self._results[operation.result] = carry

    def _assigned(self, variables: Sequence[Variable], values: Sequence[str]) -> list[str]:
        """Give names of their own to variables that change, with what they are at first."""
        names = [self.new(v) for v in variables]
        for name, value in zip(names, values, strict=True):
            self._line(f"{name} = {value}")
        return names

    def _assign(self, names: Sequence[str], values: Iterable[Any]) -> None:
        texts = list(map(self.operand, values))
        if names:
            self._line(f"{', '.join(names)} = {', '.join(texts)}")

    @property
    def uses_size(self) -> bool:
        """Whether a statement reads the size of the batch."""
        return any(re.search(r"\bn\b", line) for line in self.lines)

    def result(self, y: Any) -> str:
        """Return the text of what the function returns: a constant is copied."""
        text = self.argument(y)
        return text if isinstance(y, Variable) else f"np.array({text})"


def _read_next(program: Program) -> set[Variable]:
    """Return the results that one operation of a program reads, once, and nothing else."""
    found: dict[Variable, int] = {}
    for operation in program.operations:
        whole = isinstance(operation.primitive, Compound)
        for x in operation.operands:
            found[x] = found.get(x, 0) + (2 if whole else 1)
    for y in program.outputs:
        if isinstance(y, Variable):
            found[y] = found.get(y, 0) + 2
    return {x for x, count in found.items() if count == 1}
