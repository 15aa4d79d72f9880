"""Whether programs and plans hold together: definitions before uses, aliases, liveness.

The tests switch it on, so that a pass that breaks a program is caught where it does so, and not by
the numbers of the one program in a thousand that shows it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from portanet.tracing.compound import Compound
from portanet.tracing.plan.blocks import BlockLoop
from portanet.tracing.plan.steps import Plan, Step
from portanet.tracing.plan.storage import Storage, nbytes
from portanet.tracing.program import Opaque, Program, Variable, variables

enabled = False
"""Whether `program` and `storage` look at what they are given."""


class InvalidProgramError(Exception):
    """A pass or the planner has made something that would compute other numbers."""


def program(checked: Program, after: str) -> None:
    """Check that everything is made once, before it is read, and looks only at its operands."""
    if not enabled:
        return
    made: set[Variable] = set(checked.inputs)
    _require(len(made) == len(checked.inputs), after, "an input is given twice")
    for operation in checked.operations:
        missing = [v for v in operation.operands if v not in made]
        _require(not missing, after, f"{operation.name} reads what is not made before it")
        _require(operation.result not in made, after, f"{operation.name} makes something again")
        strange = set(variables(operation.seen)) - set(operation.operands)
        _require(not strange, after, f"{operation.name} looks at what is no operand of it")
        _require(_has_a_shape(operation.result), after, f"{operation.name} has no shape and dtype")
        made.add(operation.result)
        if isinstance(operation.primitive, Compound):
            for body in operation.primitive.programs:
                program(body, f"{after}, in {operation.name}")
    lost = [y for y in variables(tuple(checked.outputs)) if y not in made]
    _require(not lost, after, "an output is not made")


def _has_a_shape(v: Variable) -> bool:
    if isinstance(v, Opaque):
        return True
    return v.dtype is not None and all(type(n) is int and n >= 0 for n in v.shape)


def storage(items: Sequence[Step | BlockLoop], plan: Plan, storage: Storage) -> None:
    """Check that no array is read after another one was written into its memory."""
    if not enabled:
        return
    memory = _Memory(plan, storage)
    for item in items:
        if isinstance(item, Step):
            memory.step(item)
        else:
            for rows in item.slices():
                memory.block(item, rows)
    for owner in plan.held:
        memory.read(owner, "the end", None)


class _Memory:
    """What lies in each byte of the kept memory, piece by piece."""

    def __init__(self, plan: Plan, storage: Storage) -> None:
        self._plan = plan
        self._storage = storage
        self._content: dict[int, list[tuple[int, int, Variable]]] = {}

    def step(self, step: Step) -> None:
        for v in step.reads:
            self._look(v, step, None)
        self._write(step, None)

    def block(self, loop: BlockLoop, rows: slice) -> None:
        for step in loop.steps:
            for v in step.reads:
                self._look(v, step, rows if loop.is_cut(v) else None, v in loop.inner)
            self._write(step, rows, step.result in loop.inner)

    def _look(self, v: Variable, step: Step, rows: slice | None, inner: bool = False) -> None:
        for owner in self._plan.aliases.made(v):
            whole = rows is None or owner.shape[:1] != v.shape[:1]
            self.read(owner, step.operation.name, None if whole else rows, inner)

    def read(self, owner: Variable, reader: str, rows: slice | None, inner: bool = False) -> None:
        if owner not in self._storage.places:
            return
        slot, first, last = self._bytes(owner, rows, inner)
        there = [part for part in self._content.get(slot, []) if part[0] < last and first < part[1]]
        whose = {v for *_, v in there}
        if not there and owner in self._plan.strangers:
            return  # a joined array without entries of its own
        _require(
            whose <= self._written_for(owner),
            "planning",
            f"{reader} reads memory that something else was written into",
        )

    def _written_for(self, owner: Variable) -> set[Variable]:
        """Return what may lie in an array's memory: itself, its parts, and what it is part of."""
        homes = self._plan.homes
        parts = {v for v, (whole, _) in homes.items() if whole is owner}
        return {owner, *parts, *homes.get(owner, ())[:1]}

    def _write(self, step: Step, rows: slice | None, inner: bool = False) -> None:
        result = step.result
        if result not in self._storage.places or step.how not in ("write", "join", "row"):
            return
        slot, first, last = self._bytes(result, rows, inner)
        parts = self._content.setdefault(slot, [])
        kept = list(_outside(parts, first, last))
        if step.how == "join":  # it copies what does not lie there already
            own = self._written_for(result)
            kept += [part for part in parts if part[2] in own and part not in kept]
        if kept and kept[-1][1:] == (first, result):
            first = kept.pop()[0]
        kept.append((first, last, result))
        self._content[slot] = kept

    def _bytes(self, v: Variable, rows: slice | None, inner: bool) -> tuple[int, int, int]:
        slot, start = self._storage.places[v]
        size = nbytes(v)
        if rows is None:
            return slot, start, start + size
        row = size // max(v.shape[0], 1)
        if inner:
            return slot, start, start + row * (rows.stop - rows.start)
        return slot, start + row * rows.start, start + row * rows.stop


def _outside(
    parts: Iterable[tuple[int, int, Variable]], first: int, last: int
) -> Iterator[tuple[int, int, Variable]]:
    """Yield what is left of pieces of memory of which some bytes are overwritten."""
    for a, b, v in parts:
        if a < first:
            yield a, min(b, first), v
        if b > last:
            yield max(a, last), b, v


def _require(condition: Any, after: str, what: str) -> None:
    if not condition:
        raise InvalidProgramError(f"after {after}: {what}")
