"""A pass: what a loop does not have to do in each step.

What is the same in each step is computed once, before the loop. What depends on the rows of given
arrays alone is computed for all rows together: a product with a matrix becomes one large product,
and small elementwise steps one call. What a step only adds up or hands out, such as the gradient
of a matrix, becomes one product over all steps after the loop.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from portanet.tape.batch import BatchTrace
from portanet.tape.ops.card import Role
from portanet.tape.ops.form import np_dtype
from portanet.tracing.compound import Compound
from portanet.tracing.interpret import evaluated
from portanet.tracing.loops.again import reads
from portanet.tracing.loops.loop import Loop
from portanet.tracing.loops.passes import has_compounds
from portanet.tracing.plan.simplify import without_unused
from portanet.tracing.program import HostFunction, Opaque, Operation, Program, Variable, replaced
from portanet.tracing.record.record import RecordTrace
from portanet.tracing.write.form import form_of

_SMALL = 1 << 11  # bytes of a row up to which a call costs more than what it does
_WHOLE = 1 << 21  # bytes of all rows that still fit into the cache


def with_motion(program: Program, xp: Any) -> Program:
    """Take out of the loops of a program what is better done before or after them."""
    if not has_compounds(program):
        return program
    operations: list[Operation] = []
    same: dict[Variable, Any] = {}
    results: dict[Variable, list[Any]] = {}

    def current(x: Any) -> Any:
        return same.get(x, x) if isinstance(x, Variable) else x

    for op in program.operations:
        if op.card.role is Role.PART and op.args[0] in results:
            same[op.result] = results[op.args[0]][op.args[1]]
            continue
        args = [replaced(current, x) for x in op.args]
        options = {k: replaced(current, x) for k, x in op.options.items()}
        seen = tuple(v for v in map(current, op.seen) if isinstance(v, Variable))
        op = replace(op, args=args, options=options, seen=seen)
        if isinstance(op.primitive, Compound):
            changed = op.primitive.mapped(lambda body: with_motion(body, xp))
            op = replace(op, primitive=changed)
        if isinstance(op.primitive, Loop):
            trace = RecordTrace(Program([]), xp)
            with np.errstate(all="ignore"):
                found = _moved(op.primitive, trace, op)
            operations += trace.program.operations
            results[op.result] = [trace._variable(y) for y in found]
        else:
            operations.append(op)
    return Program(program.inputs, operations, [current(y) for y in program.outputs])


def _moved(loop: Loop, trace: RecordTrace, op: Operation) -> list[Any]:
    """Record a loop without what can be done outside, and that; return the results."""
    operands = [
        trace._recorded(sample, x) if isinstance(x, Variable) else x
        for x, sample in zip(op.args, op.samples, strict=True)
    ]
    constants, init, columns = loop.grouped(operands)
    outside = Outside(loop.xp, loop.length)
    outside.fixed.update(zip(loop.constants, constants, strict=True))
    outside.columns.update(zip(loop.rows, columns, strict=True))
    inside = outside.moved(loop.operations)
    later = Afterwards(outside, inside, loop.last, loop.stacked, loop.summed)
    outputs = [*loop.last, *later.wanted, *later.sums]
    inside = without_unused(Program([], inside, outputs)).operations
    read = reads(inside, outputs)
    fixed = [v for v in read if v in outside.fixed]
    rows = [v for v in read if v in outside.columns]
    left = replace(
        loop, constants=fixed, rows=rows, operations=inside, stacked=later.wanted,
        summed=later.sums, trace=None, hidden=frozenset(), guessed=True,
    )  # fmt: skip
    n, m = len(loop.last), len(loop.last) + len(later.wanted)
    parts = left.bind(
        [*(outside.fixed[v] for v in fixed), *init, *(outside.columns[v] for v in rows)]
    ) if outputs else []  # fmt: skip
    stacks, sums = later.results(parts[n:m], parts[m:])
    return [*parts[:n], *stacks, *sums]


class Outside:
    """What is known outside a loop of the values of a step.

    Parameters
    ----------
    xp : Namespace
    length : int

    Attributes
    ----------
    fixed : dict
        For each variable that is the same in each step, its value.
    columns : dict
        For each variable that is a row of an array, that array.
    """

    def __init__(self, xp: Any, length: int) -> None:
        self.xp = xp
        self.length = length
        self.fixed: dict[Variable, Any] = {}
        self.columns: dict[Variable, Any] = {}

    def moved(self, operations: Sequence[Operation]) -> list[Operation]:
        """Compute what can be computed before the loop; return the other operations."""
        kept = []
        views: dict[Variable, Operation] = {}
        for op in operations:
            if op.result in self.fixed or op.result in self.columns:
                continue
            operands = op.operands
            if self._may_move(op) and all(v in self.fixed for v in operands):
                self.fixed[op.result] = evaluated(op, self.fixed)
                continue
            known = all(v in self.fixed or v in self.columns or v in views for v in operands)
            if known and self._may_move(op):
                if op.card.view:
                    views[op.result] = op
                elif self._pays(op):
                    for v in operands:
                        self._compute(v, views)
                    self.columns[op.result] = self.rows(op)
                    continue
            kept.append(op)
        return kept

    def _may_move(self, op: Operation) -> bool:
        host = isinstance(op.primitive, HostFunction) or isinstance(op.result, Opaque)
        return not host and bool(op.operands) and op.card.role is not Role.PART

    def _compute(self, v: Variable, views: dict[Variable, Operation]) -> None:
        if v not in self.fixed and v not in self.columns:
            for u in views[v].operands:
                self._compute(u, views)
            self.columns[v] = self.rows(views[v])

    def _pays(self, op: Operation) -> bool:
        if op.card.role is Role.PRODUCT:
            x, y = op.args
            return y in self.fixed and len(x.shape) == len(y.shape) == 2
        form = form_of(op)
        if form is None or not (form.elementwise or form.rows):
            return False
        nbytes = op.result.size * np.dtype(np_dtype(op.result.dtype)).itemsize
        return 0 < nbytes <= _SMALL and nbytes * self.length <= _WHOLE

    def rows(self, op: Operation) -> Any:
        """Compute an operation for all rows at once."""
        xp = self.xp
        if op.card.role is Role.PRODUCT and op.args[1] in self.fixed and len(op.args[1].shape) == 2:
            x = self.columns[op.args[0]]
            flat = xp.reshape(x, (math.prod(x.shape[:-1]), x.shape[-1]))
            product = xp.matmul(flat, self.fixed[op.args[1]])
            return xp.reshape(product, (self.length, *op.result.shape))
        trace = BatchTrace(self.length)
        values = {
            v: self.fixed[v] if v in self.fixed else xp.batch_box(self.columns[v], trace, None)
            for v in op.operands
        }
        result = evaluated(op, values)
        return result.value

    def repeated(self, y: Any) -> Any:
        """Return an array whose rows are all the same."""
        value = self.fixed[y] if isinstance(y, Variable) else self.xp.raw.asarray(y)
        return self.xp.broadcast_to(value, (self.length, *value.shape))

    def total(self, x: Any, y: Any) -> Any:
        """Return the sum over all rows of products of two matrices, as one product."""
        xp = self.xp
        m, n = x.shape[1], y.shape[2]
        k = x.shape[0] * x.shape[2]
        left = xp.reshape(xp.permute_dims(x, (1, 0, 2)), (m, k))
        return xp.matmul(left, xp.reshape(y, (k, n)))


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
