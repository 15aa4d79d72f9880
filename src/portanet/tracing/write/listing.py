"""What a program does and which memory it takes, as text."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from portanet.tracing.plan.blocks import BlockLoop
from portanet.tracing.plan.steps import Plan, Step
from portanet.tracing.plan.storage import Storage, nbytes
from portanet.tracing.program import Opaque, Program, Variable

_WIDTHS = 52, 24, 20, 20  # at most, of the columns
_SHOWN = 40  # characters of a static argument


@dataclass(eq=False)
class Listing:
    """A planned program that can be shown.

    Parameters
    ----------
    program : Program
    items : list
        Its steps and loops, in the order in which they run.
    plan : Plan
    storage : Storage
    """

    program: Program
    items: list[Step | BlockLoop]
    plan: Plan
    storage: Storage

    @cached_property
    def names(self) -> dict[Variable, str]:
        names = {v: f"a{i}" for i, v in enumerate(self.program.inputs)}
        return names | {x.result: f"v{i}" for i, x in enumerate(self.program.operations)}

    @cached_property
    def readers(self) -> dict[Variable, str]:
        """The operation that is the last to read each variable's memory."""
        steps = (
            step for x in self.items for step in (x.steps if isinstance(x, BlockLoop) else [x])
        )
        return {
            owner: self.names[step.result]
            for step in steps
            for v in step.reads
            for owner in self.plan.aliases.of(v)
        }

    def __str__(self) -> str:
        program, storage = self.program, self.storage
        counts = Counter(operation.name for operation in program.operations)
        sizes, new = storage.kept_sizes, self.new_bytes()
        kept = sum(sizes.values())
        return "\n".join(
            [
                f"inputs: {len(program.inputs)}",
                f"operations: {len(program.operations)}",
                *(f"    {name}: {count}" for name, count in sorted(counts.items())),
                f"outputs: {len(program.outputs)}",
                f"buffers: {len(sizes)}",
                f"kept bytes: {kept}",
                f"peak bytes beside the inputs: {kept + new} ({kept} kept, {new} new in each call)",
                "program:",
                *(f"    {line.rstrip()}" for line in self._lines()),
            ]
        )

    def new_bytes(self) -> int:
        """Return the most bytes of arrays that live at one time and are new in each call."""
        live: dict[Variable, int] = {}
        most = 0
        for number, item in enumerate(self.items):
            live.update(self._begun(item))
            most = max(most, sum(live.values()))
            for owner in list(live):
                if self.storage.live_until[owner] == number and owner not in self.plan.held:
                    del live[owner]
        copied = (y for y in self.program.outputs if isinstance(y, Variable))
        return max(most, sum(live.values()) + sum(nbytes(y) for y in copied if self._is_copied(y)))

    def _begun(self, item: Step | BlockLoop) -> Iterator[tuple[Variable, int]]:
        """Yield what gets new memory in an item, with its size."""
        for step in item.steps if isinstance(item, BlockLoop) else [item]:
            result = step.result
            slot, _ = self.storage.places.get(result, (None, 0))
            if slot in self.storage.given:
                yield self.storage.given[slot], self.storage.slots.sizes[slot]
            elif step.how in ("fresh", "call") and not isinstance(result, Opaque):
                own = self.plan.aliases.of(result) == (result,)
                if own and result not in self.storage.taken:
                    yield result, nbytes(result)

    def _is_copied(self, y: Variable) -> bool:
        return any(
            self.storage.places.get(owner, (None,))[0] not in (None, *self.storage.given)
            for owner in self.plan.aliases.of(y)
        )

    def _lines(self) -> list[str]:
        rows = list(self._rows())
        widths = [max(map(len, column), default=0) for column in zip(*rows, strict=True)]
        wide = [min(width, most) for width, most in zip(widths, _WIDTHS, strict=True)]
        cells = (zip(row, wide, strict=True) for row in rows)
        lines = ["   ".join(f"{text:<{width}}" for text, width in row) for row in cells]
        return [*lines, f"return {', '.join(map(self._shown, self.program.outputs))}"]

    def _rows(self) -> Iterator[tuple[str, ...]]:
        for v in self.program.inputs:
            yield self.names[v], _kind(v), "input", ""
        for item in self.items:
            if isinstance(item, Step):
                yield self._row(item)
                continue
            yield f"in blocks of {item.rows} of {item.shape[0]} rows:", "", "", ""
            for step in item.steps:
                call, *rest = self._row(step, item)
                yield f"    {call}", *rest

    def _row(self, step: Step, loop: BlockLoop | None = None) -> tuple[str, ...]:
        operation = step.operation
        parts = [self._shown(x) for x in operation.args]
        parts += [f"{k}={self._shown(x)}" for k, x in operation.options.items()]
        call = f"{self.names[step.result]} = {operation.name}({', '.join(parts)})"
        end = self.readers.get(step.result, "")
        until = f"until {end}" if end and step.result not in self.plan.held else ""
        return call, _kind(step.result), self._place(step, loop), until

    def _place(self, step: Step, loop: BlockLoop | None) -> str:
        storage, result = self.storage, step.result
        if result in storage.taken:
            return f"result, in {self.names[storage.taken[result]]}"
        owners = self.plan.aliases.of(result)
        if owners != (result,) and step.how in ("view", "look", "call"):
            return f"in {', '.join(self.names[owner] for owner in owners)}"
        slot = storage.places.get(result, storage.places.get(owners[0], (None, 0)))[0]
        what = "result" if any(result is y for y in self.program.outputs) else ""
        if step.how == "number":
            return what or "number"
        if slot is None:
            return "" if isinstance(result, Opaque) else what or "new"
        if slot in storage.given:
            return f"in the result {self.names[storage.given[slot]]}"
        inner = loop is not None and result in loop.inner
        return f"buffer {slot}{', a block' if inner else ''}{', ' + what if what else ''}"

    def _shown(self, x: Any) -> str:
        if isinstance(x, Variable):
            return self.names[x]
        if isinstance(x, tuple | list):
            return f"({', '.join(map(self._shown, x))}{',' if len(x) == 1 else ''})"
        if isinstance(x, slice):
            parts = ["" if part is None else str(part) for part in (x.start, x.stop, x.step)]
            return ":".join(parts if x.step is not None else parts[:2])
        shape = getattr(x, "shape", ())
        if shape:
            return f"constant {tuple(shape)}"
        text = getattr(x, "__name__", str(x))
        return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."


def _kind(v: Variable) -> str:
    return "no array" if isinstance(v, Opaque) else f"{v.dtype} {tuple(v.shape)}"
