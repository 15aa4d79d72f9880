"""Chains of elementwise operations and rows of them as kernels, for libraries that compile these.

A kernel is text: the same chain in another program is the same kernel. Where the library cannot
build or run one, its operations are called one by one.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from typing import Any

from portanet.tape.ops.card import Card
from portanet.tracing.plan.fused_groups import Group, grouped
from portanet.tracing.plan.fused_rows import Rows
from portanet.tracing.plan.fused_text import Elementwise
from portanet.tracing.program import Opaque, Operation, Program, Variable, replaced

_warned: list[str] = []


def with_kernels(program: Program, backend: Any) -> Program:
    """Return a program in which kernels of a backend do what is elementwise, and rows of it."""
    operations: list[Operation] = []
    for item in grouped(_with_early_views(program)):
        if isinstance(item, Operation):
            operations.append(item)
            continue
        views = item.give_up_views()
        if len(item.operations) == 1 and not _is_several(item.operations[0]):
            operations += item.operations
        else:
            operations += _calls(item, backend)
        operations += views
    return Program(program.inputs, operations, program.outputs)


def _with_early_views(program: Program) -> Program:
    """Put views of what no kernel makes right behind it: one in between would cut a kernel."""
    whole = {op.result for op in program.operations if op.card.spoken or op.card.fold}
    early: dict[Any, list[Operation]] = {}
    for op in program.operations:
        if op.card.view and isinstance(op.args[0], Variable) and op.args[0] not in whole:
            early.setdefault(op.args[0], []).append(op)
    moved = {op.result for views in early.values() for op in views}
    others = [op for op in program.operations if op.result not in moved]
    ordered: list[Operation] = []
    for made in (*program.inputs, *others):
        if isinstance(made, Operation):
            ordered.append(made)
            made = made.result
        waiting = early.pop(made, [])
        while waiting:
            ordered.append(waiting.pop(0))
            waiting += early.pop(ordered[-1].result, [])
    return Program(program.inputs, ordered, program.outputs)


def _is_several(operation: Operation) -> bool:
    """Whether the library does an operation by more than one kernel."""
    known = operation.card.spoken
    return known is not None and known.several


def _calls(group: Group, backend: Any) -> Iterator[Operation]:
    """Yield the call of a kernel, and what takes its results apart."""
    fused = Fused(group, backend)
    result = fused.results[0] if len(fused.results) == 1 else Opaque()
    yield Operation(fused, fused.operands, {}, result)
    if isinstance(result, Opaque):
        for y in reversed(fused.results):
            yield Operation(_TAKE, [result], {}, y)


class _Take:
    """The primitive that takes a result out of a list, which then does not keep it alive."""

    card = Card("take result")
    name = card.name
    compute = staticmethod(list.pop)


_TAKE = _Take()


class Fused:
    """The primitive of several operations in one kernel.

    Attributes
    ----------
    operands, results : list
        The arguments of the kernel, and the variables of what it returns.
    text : Text or RowText
    shape : tuple of int
        That of the arrays whose entries it computes.
    """

    card = Card("fused kernel")

    def __init__(self, group: Group, backend: Any) -> None:
        self.operations = group.operations
        self.shape = group.shape
        self.results = [x.result for x in group.operations if x.result in group.open]
        written = (
            Rows(group, self.results) if group.folds else Elementwise(self.operations, self.results)
        )
        self.operands = written.operands
        self.text = written.text
        self.name = self.text.name
        self._kernel: Callable[..., Any] | None = None
        try:
            if isinstance(written, Rows):
                self._kernel = backend.row_kernel(written.text, group.shape)
            else:
                self._kernel = backend.elementwise_kernel(written.text)
        except Exception as error:
            _warn(error)

    def compute(self, *args: Any) -> Any:
        if self._kernel is not None:
            try:
                done = self._kernel(*args)
                return done if len(self.results) == 1 else list(done)
            except MemoryError:
                raise
            except Exception as error:  # what a compiler cannot do must not stop the user
                self._kernel = None
                _warn(error)
        return self._one_by_one(args)

    def _one_by_one(self, args: Any) -> Any:
        values: dict[Variable, Any] = {
            v: x for v, x in zip(self.operands, args, strict=True) if isinstance(v, Variable)
        }

        def value(x: Any) -> Any:
            return values[x] if isinstance(x, Variable) else x

        for operation in self.operations:
            given = [replaced(value, x) for x in operation.args]
            options = {k: replaced(value, x) for k, x in operation.options.items()}
            values[operation.result] = operation.primitive.compute(*given, **options)
        done = [values[y] for y in self.results]
        return done[0] if len(done) == 1 else done


def _warn(error: Exception) -> None:
    if not _warned:
        reason = f"{type(error).__name__}: {str(error).strip().partition(chr(10))[0]}"
        _warned.append(reason)
        warnings.warn(
            f"pn.jit: a fused kernel cannot be used, {reason}. Its operations are called one by "
            "one, and so are those of others that fail",
            RuntimeWarning,
            stacklevel=2,
        )
