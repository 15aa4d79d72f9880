"""From a recorded loop to Python source: a `for` over rows with the flat calls of one step.

On NumPy what is carried or stacked is written by the calls themselves into rows of one array: the
next step reads the carry where this one has left it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from portanet.tape.ops.card import Role
from portanet.tape.ops.form import Form
from portanet.tracing.loops.loop import Loop
from portanet.tracing.plan.form import form_of
from portanet.tracing.plan.fused import with_kernels
from portanet.tracing.plan.steps import Plan, Step
from portanet.tracing.plan.storage import straight
from portanet.tracing.program import Opaque, Program, Variable
from portanet.tracing.write.source import Source, Writer, written


class _BodyPlan(Plan):
    """The plan of a step.

    Parameters
    ----------
    in_rows : set of Variable
        Results that are written into rows of larger arrays.
    late : sequence of Variable
        Results that are read when the step has ended.
    """

    def __init__(
        self, program: Program, forms: bool, in_rows: set[Variable], late: Sequence[Variable]
    ) -> None:
        self.in_rows = in_rows
        super().__init__(program, forms)
        self.held = {owner for y in late for owner in self.aliases.of(y)}

    def _held(self, step: Step) -> Step:
        if step.result not in self.in_rows:
            return super()._held(step)
        if step.form is not None and step.form.view is not None:
            step.form = Form("{out}[...] = " + step.form.view)
        step.how = "row"
        return step


class LoopWriter(Writer):
    """Turns one loop into its source."""

    def __init__(self, loop: Loop) -> None:
        self.loop = loop
        forms = loop.backend.jit == "source"
        inputs = [*loop.constants, *loop.carry, *loop.rows]
        program = Program(inputs, loop.operations, [*loop.last, *loop.stacked, *loop.summed])
        if loop.backend.fuses:
            program = with_kernels(program, loop.backend)
        program = Program(inputs, program.operations, [])
        made = {op.result: op for op in loop.operations} if forms else {}
        wanted = [y for y in (*loop.last, *loop.stacked) if isinstance(y, Variable)]
        written = {y for y in wanted if y in made and _may_write(made[y])}
        late = [y for y in (*wanted, *loop.summed) if isinstance(y, Variable)]
        super().__init__(program, [], [], forms, _BodyPlan(program, forms, written, late))
        self._written = written
        self._setup: list[str] = []
        self._columns: list[tuple[str, str]] = []
        self._copies: list[str] = []
        self._results: list[str] = []
        self._homes: dict[Variable, str] = {}
        self._rows_bytes = 0

    def source(self) -> Source:
        self._open()
        for number, item in enumerate(self.items):
            if isinstance(item, Step):
                self._write_step(item)
            else:
                self._write_loop(item, number)
        self._close()
        names = ", ".join(name for name, _ in self._columns)
        rows = ", ".join(text for _, text in self._columns)
        head = f"for {names}, in zip({rows}):" if names else f"for _ in range({self.loop.length}):"
        body = [f"    {line}" for line in [*self._lines, *self._copies]] or ["    pass"]
        lines = [*self._setup, head, *body, f"return ({', '.join(self._results)},)"]
        inputs = [*self._constants(), *self._inits(), *self._given()]
        source = self._finished("loop", inputs, lines)
        source.kept_bytes += self._rows_bytes
        return source

    def _constants(self) -> list[str]:
        return [self.names[v] for v in self.loop.constants]

    def _inits(self) -> list[str]:
        return [f"i{j}" for j in range(len(self.loop.carry))]

    def _given(self) -> list[str]:
        return [f"x{k}" for k in range(len(self.loop.rows))]

    def _write_step(self, step: Step) -> None:
        if step.how == "row":
            self._lines.append(self._filled(step, self.names))
        else:
            super()._write_step(step)

    def _open(self) -> None:
        """Write what stands before the loop, and name the rows of each step."""
        loop = self.loop
        for name in sorted(self._factors()):
            self._setup.append(f"{name} = {self.constant(straight)}({name})")
        for k, v in enumerate(loop.rows):
            self._columns.append((self.names[v], self._iterated(f"x{k}", v)))
        self._stacks: dict[Variable, str] = {}
        for j, (v, y) in enumerate(zip(loop.carry, loop.last, strict=True)):
            if self.forms and not isinstance(v, Opaque):
                self._open_carry(j, v, y)
            else:
                self._setup.append(f"{self.names[v]} = i{j}")
        self._parts: list[str] = []
        for k, y in enumerate(loop.stacked):
            self._open_stack(k, y)
        for k, y in enumerate(loop.summed):
            start = f"{self.function('zeros')}({tuple(y.shape)!r}, {self.constant(y.dtype)})"
            self._setup.append(f"z{k} = {start if self.forms else None}")

    def _factors(self) -> set[str]:
        """The constants that products read in each step: in the order of memory that is fast.

        A product with one row takes no longer with a matrix that is turned over.
        """
        if not self.forms:
            return set()
        known = set(self.loop.constants)
        products = [op for op in self.loop.operations if op.card.role is Role.PRODUCT]
        several = [op for op in products if all(x.size > x.shape[-1] for x in op.args)]
        return {self.names[v] for op in several for v in op.operands if v in known}

    def _open_carry(self, j: int, v: Variable, y: Any) -> None:
        """Give a carry the rows of one array, or two places by turns if none is kept."""
        n, reverse = self.loop.length, self.loop.backwards
        stacked = {s for s in self.loop.stacked if isinstance(s, Variable)}
        direct = isinstance(y, Variable) and y in self._written and y not in self._homes
        whole = v in stacked or (direct and y in stacked)
        name = f"p{j}"
        if whole:
            first, before, after = (n, "[1:]", "[:-1]") if reverse else (0, "[:-1]", "[1:]")
            kept = all(
                i in self.loop.kept for i, s in enumerate(self.loop.stacked) if s is v or s is y
            )
            self._make(name, (n + 1, *v.shape), v, kept)
            self._setup.append(f"{name}[{first}] = i{j}")
            self._stacks.setdefault(v, f"{name}{before}")
            self._results.append(f"{name}[{n - first}, ...].copy()")
            texts = [self._rows(f"{name}{k}", name + part, v, kept)
                     for k, part in (("b", before), ("a", after))]  # fmt: skip
        else:
            self._make(name, (2, *v.shape), v, True)
            self._made.append(f"    {name}b = [{name}[0, ...], {name}[1, ...]] * {n // 2 + 1}")
            self._made.append(f"    {name}a = {name}b[1:]")
            self._setup.append(f"{name}b[0][...] = i{j}")
            self._results.append(f"{name}b[{n}].copy()")
            texts = [f"{name}b", f"{name}a"]
        target = f"{name}t"
        self._columns += [(self.names[v], texts[0]), (target, texts[1])]
        if direct:
            self._homes[y] = self.names[y] = target
            if whole:
                self._stacks.setdefault(y, f"{name}{after}")
        else:
            self._copies.append(f"{target}[...] = {self._named(y)}")

    def _open_stack(self, k: int, y: Any) -> None:
        name = f"y{k}"
        if not self.forms:
            self._setup.append(f"{name} = []")
            self._parts.append(name)
            return
        if isinstance(y, Variable) and y in self._stacks:
            text = self._stacks[y]
            whole = text.partition("[")[0]
            known = {part.partition("[")[0] for part in self._parts}
            again = k not in self.loop.kept and whole in known
            self._parts.append(f"{text}.copy()" if again else text)
            return
        kept = k in self.loop.kept
        self._make(name, (self.loop.length, *y.shape), y, kept)
        self._parts.append(name)
        self._columns.append((f"{name}t", self._rows(f"{name}r", name, y, kept)))
        if isinstance(y, Variable):
            self._stacks[y] = name
            if y in self._written and y not in self._homes:
                self._homes[y] = self.names[y] = f"{name}t"
                return
        self._copies.append(f"{name}t[...] = {self._named(y)}")

    def _make(self, name: str, shape: tuple[int, ...], like: Any, kept: bool) -> None:
        """Make an array, once for all replays if it is `kept`."""
        text = f"{name} = {self.function('empty')}({shape!r}, {self.constant(like.dtype)})"
        if kept:
            self._made.append(f"    {text}")
            self._rows_bytes += math.prod(shape) * np.dtype(like.dtype).itemsize
        else:
            self._setup.append(text)

    def _rows(self, name: str, array: str, like: Any, kept: bool) -> str:
        """Return the rows of an array that is made, in the order of the steps."""
        text = self._ordered(array, like)
        if not kept:
            return text
        self._made.append(f"    {name} = list({text})")
        return name

    def _close(self) -> None:
        """Write what ends a step, and what stands after the loop."""
        loop = self.loop
        moved: list[tuple[str, str]] = []
        results: list[str] = []
        arrays = iter(self._results)
        for v, y in zip(loop.carry, loop.last, strict=True):
            if self.forms and not isinstance(v, Opaque):
                results.append(next(arrays))
            else:
                moved.append((self.names[v], self._named(y)))
                results.append(self.names[v])
        for k, y in enumerate(loop.stacked):
            if self.forms:
                results.append(self._parts[k])
                continue
            self._copies.append(f"y{k}.append({self._named(y)})")
            rows = f"y{k}[::-1]" if loop.backwards else f"y{k}"
            results.append(f"{self.constant(loop.backend.xp.stack)}({rows})")
        for k, y in enumerate(loop.summed):
            name = self._named(y)
            add = f"z{k} = {name} if z{k} is None else z{k} + {name}"
            if self.forms:
                add = f"{self.function('add')}(z{k}, {name}, z{k})"
            self._copies.append(add)
            results.append(f"z{k}")
        if moved:
            left, right = (", ".join(side) for side in zip(*moved, strict=True))
            self._copies.append(f"{left} = {right}")
        self._results = results

    def _named(self, y: Any) -> str:
        return self.names[y] if isinstance(y, Variable) else self.constant(y)

    def _iterated(self, name: str, v: Variable) -> str:
        if self.forms:
            return self._ordered(name, v)
        rows = f"{self.constant(self.loop.backend.xp.unstack)}({name})"
        return f"{rows}[::-1]" if self.loop.backwards else rows

    def _ordered(self, name: str, v: Any) -> str:
        """Return the rows of an array in the order of the steps."""
        text = f"{name}[::-1]" if self.loop.backwards else name
        return text if v.shape else f"{self.constant(_numbers)}({text})"


@written.register
def _(loop: Loop) -> Source:
    return LoopWriter(loop).source()


def _numbers(x: np.ndarray) -> list[Any]:
    """The entries of an array of one axis as arrays that can be written."""
    return [x[i, ...] for i in range(x.shape[0])]


def _may_write(operation: Any) -> bool:
    form = form_of(operation)
    return form is not None and (form.view is not None or form.write is not None)
