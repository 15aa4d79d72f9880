"""The epilogue of a loop: what is computed after it, for all steps together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from portanet.tape.ops.card import Role
from portanet.tracing.loops.prologue import Prologue
from portanet.tracing.program import Operation, Variable


class Epilogue:
    """What is computed after a loop from arrays that it stacks.

    Parameters
    ----------
    prologue : Prologue
    operations : sequence of Operation
        Those of a step.
    stacked, summed : sequence
        What a step hands out: variables, constants, or None.
    last : sequence
        What it hands to the next step.
    """

    def __init__(
        self,
        prologue: Prologue,
        operations: Sequence[Operation],
        last: Sequence[Any],
        stacked: Sequence[Any],
        summed: Sequence[Any],
    ) -> None:
        self.prologue = prologue
        self.made = {op.result: op for op in operations}
        self.wanted: list[Any] = []
        self.sums: list[Any] = []
        self._inside = self._needed(last)
        self.plans = [self._stack(y) for y in stacked]
        totals = {i: self._total(y) for i, y in enumerate(summed) if self._is_later(y)}
        self.totals = [totals.get(i) or self._total(y) for i, y in enumerate(summed)]

    def _needed(self, outputs: Sequence[Any]) -> set[Variable]:
        """Return the variables that the next step depends on."""
        needed = [y for y in outputs if isinstance(y, Variable)]
        found = set(needed)
        while needed:
            op = self.made.get(needed.pop())
            new = [] if op is None else [v for v in op.operands if v not in found]
            found.update(new)
            needed += new
        return found

    def _stack(self, y: Any) -> Any:
        """Return a function of nothing that gives a stacked result after the loop."""
        if not isinstance(y, Variable) or y in self.prologue.fixed:
            return lambda: self.prologue.repeated(y)
        if y in self.prologue.columns:
            return lambda: self.prologue.columns[y]
        op = self._own(y)
        if op is not None and op.card.role is Role.PRODUCT and op.result not in self._inside:
            x, w = op.args
            alike = isinstance(w, Variable) and len(w.shape) == len(op.result.shape) == 2
            if alike and w in self.prologue.fixed and isinstance(x, Variable):
                column = self._column(x)
                return lambda: self._product(op, column())
        return self._listed(self.wanted, y)

    def _product(self, op: Operation, column: Any) -> Any:
        self.prologue.columns[op.args[0]] = column
        return self.prologue.rows(op)

    def _total(self, y: Any) -> Any:
        """Return a function of nothing that gives a sum over all steps after the loop."""
        op = self._own(y)
        prologue = self.prologue
        if op is not None and op.card.role is Role.PRODUCT and all(map(self._varies, op.args)):
            left, right = map(self._column, op.args)
            return lambda: prologue.total(left(), right())
        if op is not None and op.card.role is Role.ADDITION and self._is_later(y):
            parts = [self._total(x) for x in op.args]
            return lambda: parts[0]() + parts[1]()
        if op is not None and op.card.role is Role.SUM and self._is_stacked(op.args[0]):
            column, axes = self._column(op.args[0]), _axes(op)
            if axes is not None:
                return lambda: prologue.xp.sum(column(), axis=axes, keepdims=False)
        return self._listed(self.sums, y)

    def _is_later(self, y: Any) -> bool:
        """Whether it is a sum of products of matrices and of sums of what is stacked for these.

        Each of them is better done at once for all steps.
        """
        op = self._own(y)
        if op is None:
            return False
        if op.card.role is Role.ADDITION:
            return all(map(self._is_later, op.args))
        if op.card.role is Role.SUM:
            return self._is_stacked(op.args[0]) and _axes(op) is not None
        return op.card.role is Role.PRODUCT and len(op.args[0].shape) == 2

    def _varies(self, x: Any) -> bool:
        """Whether it is a matrix that each step has another one of."""
        return isinstance(x, Variable) and len(x.shape) == 2 and x not in self.prologue.fixed

    def _is_stacked(self, x: Any) -> bool:
        return x in self.prologue.columns or any(x is y for y in self.wanted)

    def _own(self, y: Any) -> Operation | None:
        return self.made.get(y) if isinstance(y, Variable) else None

    def _column(self, v: Any) -> Any:
        """Return a function of nothing that gives all rows of a variable after the loop."""
        prologue = self.prologue
        if v in prologue.columns:
            return lambda: prologue.columns[v]
        op = self.made.get(v)
        if op is not None and self._is_seen(op) and not self._is_stacked(v):
            u = op.args[0]
            inner = self._column(u)

            def view() -> Any:
                prologue.columns[u] = inner()
                return prologue.rows(op)

            return view
        return self._listed(self.wanted, v)

    def _is_seen(self, op: Operation) -> bool:
        """Whether an operation looks at an array that is stacked, or may be as well."""
        alone = op.card.view and op.operands == [op.args[0]]
        x = op.args[0]
        return alone and (self._is_stacked(x) or (x in self.made and x.size == op.result.size))

    def _listed(self, outputs: list[Any], y: Any) -> Any:
        """Let the loop hand out `y`; return a function that gives it later."""
        if y is None:
            return lambda: None
        places = [i for i, x in enumerate(outputs) if x is y]
        place = places[0] if places else len(outputs)
        if not places:
            outputs.append(y)
        kind = 0 if outputs is self.wanted else 1
        return lambda: self.parts[kind][place]

    def results(self, stacks: Sequence[Any], sums: Sequence[Any]) -> tuple[list[Any], list[Any]]:
        """Return what was stacked and summed, given what the loop has handed out."""
        self.parts = stacks, sums
        return [plan() for plan in self.plans], [total() for total in self.totals]


def _axes(op: Operation) -> tuple[int, ...] | None:
    """Return the axes of all rows together over which a sum goes; None if it keeps them."""
    if op.options.get("keepdims") or op.options.get("dtype") is not None:
        return None
    axis, rank = op.options.get("axis"), len(op.args[0].shape)
    if axis is None:
        return tuple(range(rank + 1))
    axes = (axis,) if isinstance(axis, int) else axis
    return (0, *(a % rank + 1 for a in axes))
