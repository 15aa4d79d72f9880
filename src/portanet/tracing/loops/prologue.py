"""The prologue of a loop: what is computed before it, once, or for all rows together."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from portanet.tape.batch import BatchTrace
from portanet.tape.ops.card import Role
from portanet.tape.ops.form import np_dtype
from portanet.tracing.interpret import evaluated
from portanet.tracing.plan.form import form_of
from portanet.tracing.program import HostFunction, Opaque, Operation, Variable

_SMALL = 1 << 11  # bytes of a row up to which a call costs more than what it does
_WHOLE = 1 << 21  # bytes of all rows that still fit into the cache


class Prologue:
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
        read = {v for op in kept if op.result not in views for v in op.operands}
        for v, op in views.items():
            if v in read and v not in self.columns and op.card.rearranged:
                self._compute(v, views)
        return [op for op in kept if op.result not in self.columns]

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
