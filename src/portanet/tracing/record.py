"""Recording: a trace that runs a function once and writes every operation down."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from portanet.random import Key
from portanet.tape.box import Box
from portanet.tape.lifted import Lifted
from portanet.tape.trace import Trace
from portanet.tracing.forms import is_known
from portanet.tracing.host import HostFunction, HostVariable, RecordedKey, RecordedNumber
from portanet.tracing.program import Operation, Program, Variable


class Recorded(Lifted):
    """The half of a box class whose arrays have a value now and another one in each replay."""

    __slots__ = ()

    no_condition = (
        "a condition on a value inside pn.jit would be decided once and for all: choose entry by "
        "entry with xp.where(condition, a, b), or leave this function out of jit"
    )
    no_value = (
        "an array inside pn.jit has another value in each call: float(), int(), item(), tolist() "
        "and conversion to another library would keep the one of the first call. Keep it an "
        "array, or return it and convert it outside"
    )

    def __repr__(self) -> str:
        return f"Recorded(shape={self.shape}, dtype={self.dtype})"

    __str__ = __repr__


class RecordTrace(Trace):
    """Run every call on the values at hand and append it to a program."""

    __slots__ = ("program",)

    def __init__(self, program: Program) -> None:
        super().__init__()
        self.program = program

    def process(self, primitive: Any, args: Sequence[Any], kwargs: dict[str, Any]) -> Any:
        if primitive.generic is not None and not is_known(primitive.name):
            return primitive.generic(*args, **kwargs)
        values, operands = list(args), list(args)
        for i, x in enumerate(args):
            if isinstance(x, Box) and x.trace is self:
                values[i], operands[i] = x.value, x.note
            elif isinstance(x, RecordedNumber):
                values[i], operands[i] = x.value, x.variable
        value = primitive.compute(*values, **kwargs)
        result = Variable(value.shape, value.dtype)
        self.program.operations.append(Operation(primitive, operands, kwargs, result))
        return recorded_box(primitive.xp)(value, self, result)

    def host(self, function: HostFunction, operands: Sequence[Any]) -> Variable:
        """Append a call of a host function and return the variable of its result."""
        variable = HostVariable()
        self.program.operations.append(Operation(function, operands, {}, variable))
        return variable

    def drawn(self, xp: Any, operation: Operation, value: Any) -> Any:
        """Append a draw of random numbers and return the recorded array."""
        self.program.operations.append(operation)
        return recorded_box(xp)(value, self, operation.result)


def recorded_box(xp: Any) -> type[Box]:
    """Return the class of the recorded arrays of a traced namespace."""
    found = xp.__dict__.get("recorded_box")
    if found is None:
        found = type(f"Recorded_{xp.box.__name__}", (Recorded, xp.box), {"__slots__": ()})
        xp.__dict__["recorded_box"] = found
    return found


def record(
    function: Callable[..., Sequence[Any]], inputs: Sequence[Any], xp: Any
) -> tuple[Program, list[Any]]:
    """Run ``function(*inputs)`` once; return its program and the outputs of this run.

    An input is an array, a `Key` or a number; all of them change between calls.
    """
    program = Program([_variable(x) for x in inputs])
    trace = RecordTrace(program)
    lifted = [_lifted(x, v, trace, xp) for x, v in zip(inputs, program.inputs, strict=True)]
    outputs = []
    for y in function(*lifted):
        value, variable = _lowered(y, trace)
        outputs.append(value)
        program.outputs.append(variable)
    return program, outputs


def _variable(x: Any) -> Variable:
    return Variable(x.shape, x.dtype) if hasattr(x, "shape") else HostVariable()


def _lifted(x: Any, variable: Variable, trace: RecordTrace, xp: Any) -> Any:
    if isinstance(x, Key):
        return RecordedKey(x, trace, variable)
    if hasattr(x, "shape"):
        return recorded_box(xp)(x, trace, variable)
    return RecordedNumber(x, trace, variable)


def _lowered(y: Any, trace: RecordTrace) -> tuple[Any, Any]:
    """Return an output's value in this run, and its variable or, if it is constant, itself."""
    if isinstance(y, RecordedKey):
        return Key(y.words), y.variable
    if isinstance(y, RecordedNumber):
        return y.value, y.variable
    if isinstance(y, Box) and y.trace is trace:
        return y.value, y.note
    return y, y
