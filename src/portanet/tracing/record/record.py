"""Recording: a trace that runs a function once and writes every operation down."""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from contextvars import ContextVar
from dataclasses import replace
from typing import Any

import numpy as np

from portanet.errors import TracedValueError
from portanet.random import Key
from portanet.tape import box as tape_box
from portanet.tape.box import Box, taken_out
from portanet.tape.bundle import PART as PART_CARD
from portanet.tape.bundle import Bundle
from portanet.tape.custom_rule import CustomRule
from portanet.tape.lifted import Lifted
from portanet.tape.ops.card import Card
from portanet.tape.primitive import Primitive
from portanet.tape.trace import Captured, Trace, run, settle_all
from portanet.tape.writing import fresh
from portanet.tracing.program import (
    HostFunction,
    Opaque,
    Operation,
    Program,
    Variable,
    replaced,
)
from portanet.tracing.record.host import (
    KEPT,
    RecordedKey,
    RecordedNumber,
    draw_operation,
    recorded_number,
)
from portanet.tracing.record.sharing import looked_at


class Recorded(Lifted):
    """The half of a box class whose arrays have a value now and another one in each replay."""

    __slots__ = ()

    recorded = True
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

    __slots__ = ("finished", "program", "xp")

    def __init__(self, program: Program, xp: Any) -> None:
        super().__init__()
        self.program = program
        self.xp = xp
        self.finished = False

    def process(self, primitive: Any, args: Sequence[Any], kwargs: dict[str, Any]) -> Any:
        self._check_running()
        if primitive.xp is not self.xp:
            raise Captured
        if isinstance(primitive.rule, CustomRule):
            return self._ruled(primitive, args)
        if not self.keeps_rules and is_made_of_others(primitive):
            return primitive.generic(*args, **kwargs)
        if primitive.shows:
            settle_all(args)
        values = [replaced(self._value, x) for x in args]
        operands = [replaced(self._variable, x) for x in args]
        options = kwargs and {k: replaced(self._value, x) for k, x in kwargs.items()}
        noted = kwargs and {k: replaced(self._variable, x) for k, x in kwargs.items()}
        _check_size(primitive.card, operands)
        value = primitive.compute(*values, **options)
        if type(value) is complex:  # Python's own product of a number and a float of NumPy
            value = primitive.xp.raw.asarray(value)[()]
        kind = primitive.box
        several = isinstance(value, tuple | list)
        if several:
            result, kind = Opaque(), Bundle
        else:
            result, kind = Variable(value.shape, value.dtype), recorded_box(primitive.xp)
            kind = kind if primitive.shows else fresh(kind)
        call = Operation(primitive, operands, noted, result)
        seen = looked_at(call, value, (*values, *options.values()))
        self.program.operations.append(replace(call, seen=seen) if seen else call)
        box = kind(value, self, result)
        if not several or primitive.box is Bundle:
            return box
        parts = [primitive.xp.part(box, i) for i in range(len(value))]
        return getattr(type(value), "_make", type(value))(parts)

    def process_compound(self, compound: Any, args: Sequence[Any]) -> list[Any]:
        self._check_running()
        if compound.xp is not self.xp:
            raise Captured
        compound, args = compound.for_trace(self, args)
        values = tuple(map(self._value, args))
        np.seterr(all="ignore")  # what follows may be a guess, and the first replay warns
        bundle, samples = Opaque(), compound.sample(values)
        noted = [self._variable(x) for x in args]
        self.program.operations.append(Operation(compound, noted, {}, bundle, (), values))
        return [self._part(bundle, i, y) for i, y in enumerate(samples)]

    def _part(self, bundle: Variable, i: int, value: Any) -> Any:
        """Append the reading of one result of a compound operation."""
        array = hasattr(value, "shape")
        result = Variable(value.shape, value.dtype) if array else Opaque()
        seen = (bundle,) if array else ()
        self.program.operations.append(Operation(PART, [bundle, i], {}, result, seen))
        return self._recorded(value, result)

    def _recorded(self, value: Any, variable: Variable) -> Any:
        """Return what stands for a value of this recording: an array, a key or a number."""
        if isinstance(value, Key):
            return RecordedKey(value, self, variable)
        if hasattr(value, "shape"):
            return recorded_box(self.xp)(value, self, variable)
        return RecordedNumber(value, self, variable)

    def _ruled(self, primitive: Any, args: Sequence[Any]) -> Any:
        """Record an operation with a derivative of its own as what it computes."""
        return primitive.compute(*args)

    def _check_running(self) -> None:
        if self.finished:
            raise TracedValueError(KEPT)

    def _value(self, x: Any) -> Any:
        if isinstance(x, RecordedNumber):
            return x.value
        if isinstance(x, RecordedKey):
            return Key(x.words)
        if isinstance(x, Box):
            if type(x) is tape_box.Key:
                return replaced(self._value, x.value)
            if x.owner is not self:
                raise Captured
            return x.value
        return x

    def _variable(self, x: Any) -> Any:
        if isinstance(x, RecordedNumber | RecordedKey):
            return x.variable
        if isinstance(x, Box):
            return replaced(self._variable, x.value) if type(x) is tape_box.Key else x.note
        return x

    def host(self, function: HostFunction, operands: Sequence[Any]) -> Variable:
        """Append a call of a host function and return the variable of its result."""
        self._check_running()
        variable = Opaque()
        self.program.operations.append(Operation(function, operands, {}, variable))
        return variable

    def host_again(self, function: HostFunction, args: Sequence[Any]) -> Any:
        """Append a call of a host function that another recording has made; return its result."""
        self._check_running()
        value = function.compute(*map(self._value, args))
        array = hasattr(value, "shape")
        result = Variable(value.shape, value.dtype) if array else Opaque()
        noted = [self._variable(x) for x in args]
        self.program.operations.append(Operation(function, noted, {}, result))
        return self._recorded(value, result)

    def draw(self, key: Any, backend: Any, *request: Any) -> Any:
        """Append a draw of random numbers and return the recorded array."""
        self._check_running()
        if backend.xp is not self.xp:
            raise Captured
        operation, values = draw_operation(key, backend, *request)
        self.program.operations.append(operation)
        return recorded_box(backend.xp)(values, self, operation.result)


PART: Any = Primitive(PART_CARD, operator.getitem, None, Bundle)
"""The reading of one of several results."""

recording: ContextVar[RecordTrace | None] = ContextVar("portanet_recording", default=None)
"""The innermost recording that a function runs in."""


def is_made_of_others(primitive: Any) -> bool:
    """Whether a function is recorded as what its generic body does, and not as such."""
    if primitive.generic is None:
        return False
    card, generic = primitive.card, primitive.generic
    native = generic not in (primitive.compute, getattr(primitive.compute, "generic", None))
    return card.form is None or not (native or card.words is not None)


def _check_size(card: Card, operands: Sequence[Any]) -> None:
    """Refuse a function whose result has another shape for other values."""
    what = card.of_values and card.unsized([replaced(_varying, x) for x in operands])
    if what:
        raise TracedValueError(
            f"{what} inside pn.jit: the shape of its result depends on values, which differ from "
            "call to call: keep the shape and choose entry by entry with xp.where, or leave this "
            "function out of jit"
        )


def _varying(x: Any) -> Any:
    return x if isinstance(x, Variable) else None


def recorded_box(xp: Any) -> type[Box]:
    """Return the class of the recorded arrays of a traced namespace."""
    found = xp.__dict__.get("recorded_box")
    if found is None:
        made = type(f"Recorded_{xp.box.__name__}", (Recorded, xp.box), {"__slots__": ()})
        found = xp.__dict__.setdefault("recorded_box", made)
    return found


def record(
    function: Callable[..., Sequence[Any]],
    inputs: Sequence[Any],
    xp: Any,
    kind: Callable[[Program, Any], RecordTrace] = RecordTrace,
) -> tuple[Program, list[Any]]:
    """Run ``function(*inputs)`` once; return its program and the outputs of this run.

    An input is an array, a `Key` or a number; all of them change between calls. What comes out of
    the derivative of a loop is a guess in this run, of the right shape and dtype.
    """
    inputs = taken_out(list(inputs))
    program = Program([_variable(x) for x in inputs])
    trace = kind(program, xp)
    lifted = [_lifted(x, v, trace) for x, v in zip(inputs, program.inputs, strict=True)]
    outputs = []
    token = recording.set(trace)
    try:
        with np.errstate():
            results = run(function, lifted)
        for y in results:
            value, variable = _lowered(y, trace)
            outputs.append(value)
            program.outputs.append(variable)
    finally:
        recording.reset(token)
        trace.finished = True
    return program, outputs


def _variable(x: Any) -> Variable:
    return Variable(x.shape, x.dtype) if hasattr(x, "shape") else Opaque()


def _lifted(x: Any, variable: Variable, trace: RecordTrace) -> Any:
    if hasattr(x, "shape") or isinstance(x, Key):
        return trace._recorded(x, variable)
    return recorded_number(x, trace, variable)


def _lowered(y: Any, trace: RecordTrace) -> tuple[Any, Any]:
    """Return an output's value in this run, and its variable or, if it is constant, itself."""
    if isinstance(y, RecordedKey):
        return Key(y.words), y.variable
    if isinstance(y, RecordedNumber):
        return y.value, y.variable
    if isinstance(y, Box):
        if y.owner is not trace:
            raise Captured
        return y.value, y.note
    return y, y
