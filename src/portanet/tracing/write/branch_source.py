"""From a branch or an open loop to Python source: what calls the functions of their bodies."""

from __future__ import annotations

from typing import Any

import numpy as np

from portanet.tracing.loops.branch import Branch
from portanet.tracing.loops.while_loop import While
from portanet.tracing.plan.fused import with_kernels
from portanet.tracing.plan.outputs import copier
from portanet.tracing.program import Opaque, Routine, Variable
from portanet.tracing.write.source import Source, Writer, written

_BRANCH = """
def workspace(np, c0, c1):
    def branch(predicate, *operands):
        return (c0 if predicate else c1)(*operands)
    return branch
"""


@written.register
def _(branch: Branch) -> Source:
    sides = [Routine(program, branch.backend) for program in branch.sides]
    return Source(_BRANCH.lstrip(), {"c0": sides[0], "c1": sides[1]}, 0, None)


_WHILE = """
def workspace(np, c0, c1, c2):
    def loop(*operands):
        carry, constants = operands[:{count}], operands[{count}:]
        for _ in {steps}:
            if not c0(*carry, *constants)[0]:
                break
            carry = c1(*carry, *constants)
        return tuple(map(c2, carry))
    return loop
"""


@written.register
def _(loop: While) -> Source:
    condition, body = (Routine(program, loop.backend) for program in loop.programs)
    steps = "iter(int, 1)" if loop.most is None else f"range({loop.most})"
    text = _WHILE.lstrip().format(count=loop.count, steps=steps)
    return Source(text, {"c0": condition, "c1": body, "c2": _of_own(loop.backend)}, 0, None)


def _of_own(backend: Any) -> Any:
    """Return a function that copies arrays: without a step the carry is that of the caller."""
    copy = np.array if backend.jit == "source" else copier(backend.xp)
    return lambda x: copy(x) if hasattr(x, "shape") else x


class RoutineWriter(Writer):
    """Turns a program that another one calls into its source."""

    def __init__(self, routine: Routine) -> None:
        program, backend = routine.program, routine.backend
        if backend.fuses:
            program = with_kernels(program, backend)
        self.xp = backend.xp
        super().__init__(program, [], [], backend.jit == "source")

    def whole(self) -> Source:
        self._write_items()
        texts = "".join(f"{self._given(y)}, " for y in self.program.outputs)
        inputs = [self.names[v] for v in self.program.inputs]
        return self._finished("routine", inputs, [*self._lines, f"return ({texts})"])

    def _given(self, y: object) -> str:
        """Return the text of an output: in memory of its own, whatever it lies in here."""
        if not isinstance(y, Variable):
            return self.constant(y)
        text, owners = self.names[y], self.plan.aliases.of(y)
        others = {*self.plan.kept, *self.program.inputs}
        if isinstance(y, Opaque) or others.isdisjoint(owners):
            return text
        copy = self.function("array") if self.forms else self.constant(copier(self.xp))
        return f"{copy}({text})"


@written.register
def _(routine: Routine) -> Source:
    return RoutineWriter(routine).whole()
