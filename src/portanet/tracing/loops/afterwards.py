"""What is computed after a loop, for all steps together, from arrays that it stacks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from portanet.tape.ops.card import Role
from portanet.tracing.interpret import evaluated
from portanet.tracing.loops.outside import Outside
from portanet.tracing.program import Operation, Variable


class Afterwards:
    """What is computed after a loop from arrays that it stacks.

    Parameters
    ----------
    outside : Outside
    operations : sequence of Operation
        Those of a step.
    stacked, summed : sequence
        What a step hands out: variables, constants, or None.
    last : sequence
        What it hands to the next step.
    """

    def __init__(
        self,
        outside: Outside,
        operations: Sequence[Operation],
        last: Sequence[Any],
        stacked: Sequence[Any],
        summed: Sequence[Any],
    ) -> None:
        self.outside = outside
        self.made = {op.result: op for op in operations}
        self.wanted: list[Any] = []
        self.sums: list[Any] = []
        self._inside = self._needed(last)
        self.plans = [self._stack(y) for y in stacked]
        totals = {i: self._total(y) for i, y in enumerate(summed) if self._is_outside(y)}
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
        if not isinstance(y, Variable) or y in self.outside.fixed:
            return lambda: self.outside.repeated(y)
        if y in self.outside.columns:
            return lambda: self.outside.columns[y]
        op = self._own(y)
        if op is not None and op.card.role is Role.PRODUCT and op.result not in self._inside:
            x, w = op.args
            alike = isinstance(w, Variable) and len(w.shape) == len(op.result.shape) == 2
            if alike and w in self.outside.fixed and isinstance(x, Variable):
                column = self._column(x)
                return lambda: self._product(op, column())
        return self._listed(self.wanted, y)

    def _product(self, op: Operation, column: Any) -> Any:
        self.outside.columns[op.args[0]] = column
        return self.outside.rows(op)

    def _total(self, y: Any) -> Any:
        """Return a function of nothing that gives a sum over all steps after the loop."""
        op = self._own(y)
        outside = self.outside
        if op is not None and op.card.role is Role.PRODUCT:
            x, w = op.args
            if all(isinstance(v, Variable) and len(v.shape) == 2 for v in (x, w)):
                if x in outside.fixed:
                    rest = self._total(w)
                    return lambda: outside.xp.matmul(outside.fixed[x], rest())
                if w in outside.fixed:
                    rest = self._total(x)
                    return lambda: outside.xp.matmul(rest(), outside.fixed[w])
                left, right = self._column(x), self._column(w)
                return lambda: outside.total(left(), right())
        if op is not None and op.card.role is Role.ADDITION and self._is_outside(y):
            parts = [self._total(x) for x in op.args]
            return lambda: parts[0]() + parts[1]()
        if op is not None and op.card.view and op.card.rearranged and op.operands == [op.args[0]]:
            x = op.args[0]
            inner = self._total(x)
            return lambda: evaluated(op, {x: inner()})
        if op is not None and op.card.role is Role.SUM and self._is_stacked(op.args[0]):
            column, axes = self._column(op.args[0]), _axes(op)
            if axes is not None:
                return lambda: outside.xp.sum(column(), axis=axes, keepdims=False)
        return self._listed(self.sums, y)

    def _is_outside(self, y: Any) -> bool:
        """Whether it is a sum of products of matrices and of sums of what is stacked for these.

        Each of them is better done at once for all steps.
        """
        op = self._own(y)
        if op is None:
            return False
        if op.card.role is Role.ADDITION:
            return all(map(self._is_outside, op.args))
        if op.card.role is Role.SUM:
            return self._is_stacked(op.args[0]) and _axes(op) is not None
        return op.card.role is Role.PRODUCT and len(op.args[0].shape) == 2

    def _is_stacked(self, x: Any) -> bool:
        return x in self.outside.columns or any(x is y for y in self.wanted)

    def _own(self, y: Any) -> Operation | None:
        return self.made.get(y) if isinstance(y, Variable) else None

    def _column(self, v: Any) -> Any:
        """Return a function of nothing that gives all rows of a variable after the loop."""
        outside = self.outside
        if v in outside.columns:
            return lambda: outside.columns[v]
        op = self.made.get(v)
        if op is not None and self._is_seen(op) and not self._is_stacked(v):
            u = op.args[0]
            inner = self._column(u)

            def view() -> Any:
                outside.columns[u] = inner()
                return outside.rows(op)

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
