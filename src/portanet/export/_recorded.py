"""A function as a program of the standard's functions alone."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from portanet import trees
from portanet.errors import ArgumentError, TracedValueError, shown
from portanet.export._arguments import Arguments
from portanet.interface import backend_of, is_array
from portanet.tape.trace import Captured
from portanet.tracing.compound import Compound
from portanet.tracing.interpret import current, interpret
from portanet.tracing.loops.passes import with_short_bodies
from portanet.tracing.plan.simplify import without_common_subexpressions, without_dead_code
from portanet.tracing.program import (
    HostFunction,
    Opaque,
    Operation,
    Program,
    Variable,
    replaced,
)
from portanet.tracing.record.record import RecordTrace, record

Knows = Callable[[str], bool]


class StandardTrace(RecordTrace):
    """Record what kernels are made of in the place of the kernels, in loops and branches too.

    Parameters
    ----------
    program : Program
    xp : Namespace
    knows : callable
        Whether an operation, by its name, is recorded as such; others are by their bodies.
    """

    __slots__ = ("knows",)

    def __init__(self, program: Program, xp: Any, knows: Knows) -> None:
        super().__init__(program, xp)
        self.knows = knows

    def process(self, primitive: Any, args: Sequence[Any], kwargs: dict[str, Any]) -> Any:
        if not self.knows(primitive.name):
            if primitive.generic is not None:
                return primitive.generic(*args, **kwargs)
            if primitive.card.body is not None:
                with contextlib.suppress(TracedValueError):  # a body for plain arrays alone
                    return primitive.card.body(primitive.xp, *args, **kwargs)
        return super().process(primitive, args, kwargs)

    def process_compound(self, compound: Any, args: Sequence[Any]) -> list[Any]:
        compound, args = compound.for_trace(self, args)
        return super().process_compound(compound.mapped(self._standard), args)

    def _standard(self, body: Program) -> Program:
        def again(*inputs: Any) -> list[Any]:
            values = dict(zip(body.inputs, inputs, strict=True))
            interpret(body.operations, values)
            return current(values, body.outputs)

        if any(isinstance(v, Opaque) for v in body.inputs):
            raise ArgumentError(_DRAWS)
        samples = [np.zeros(v.shape, v.dtype) for v in body.inputs]
        program = record(again, samples, self.xp, partial(StandardTrace, knows=self.knows))[0]
        return _with_inputs(program, body.inputs)


def _with_inputs(program: Program, inputs: list[Variable]) -> Program:
    """Return a program that reads other variables in the places of its inputs."""
    known = dict(zip(program.inputs, inputs, strict=True))

    def now(x: Any) -> Any:
        return known.get(x, x) if isinstance(x, Variable) else x

    operations = [
        replace(
            op, args=[replaced(now, x) for x in op.args],
            options={k: replaced(now, x) for k, x in op.options.items()},
            seen=tuple(map(now, op.seen)),
        )
        for op in program.operations
    ]  # fmt: skip
    return Program(inputs, operations, [now(y) for y in program.outputs])


def recorded(
    function: Callable[..., Any], arguments: Arguments, knows: Knows
) -> tuple[Program, Any]:
    """Record a function; return its program and the structure of its results.

    Parameters
    ----------
    function : callable
    arguments : Arguments
    knows : callable
        See `StandardTrace`.

    Raises
    ------
    ArgumentError
        Where it draws random numbers, returns no array, or holds arrays of another library.
    """
    built: list[Any] = []

    def flattened(*leaves: Any) -> list[Any]:
        outputs, structure = trees.flatten(function(*arguments.filled(leaves)))
        built[:] = [structure]
        return outputs

    xp = backend_of(arguments.leaves[0]).xp
    try:
        kind = partial(StandardTrace, knows=knows)
        program, outputs = record(flattened, arguments.leaves, xp, kind)
    except Captured:
        raise ArgumentError(
            "what is exported works on arrays of NumPy alone: something in the function belongs "
            "to another library, or to a derivative around it"
        ) from None
    for path, y in trees.flatten_with_paths(trees.unflatten(built[0], outputs)):
        if not is_array(y):
            raise ArgumentError(
                f"what is exported returns arrays: {path or 'the result'} is {shown(y)}; return "
                "what is needed alone, as in lambda x: model(x, ps, st)[0]"
            )
    if not outputs:
        raise ArgumentError("what is exported returns arrays: got none")
    program = without_dead_code(with_short_bodies(program, xp))
    program = without_dead_code(without_common_subexpressions(program, xp))
    if any(isinstance(op.primitive, HostFunction) for op in operations_of(program)):
        raise ArgumentError(_DRAWS)
    return program, built[0]


_DRAWS = (
    "what is exported draws no random numbers and keeps no count of its calls: give the model the "
    "states of pn.test_mode(st)"
)


def operations_of(program: Program) -> Iterator[Operation]:
    """Yield the operations of a program and of the programs in it."""
    for operation in program.operations:
        if isinstance(operation.primitive, Compound):
            for inner in operation.primitive.programs:
                yield from operations_of(inner)
        yield operation
