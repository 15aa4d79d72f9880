"""Recorded loops: one program for a step, run as often as there are steps."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from portanet.errors import NoDerivativeError
from portanet.interface.loops import unstack
from portanet.random import Key
from portanet.tape.box import Box, seen
from portanet.tape.bundle import PART, Bundle
from portanet.tape.ops.card import Card
from portanet.tape.primitive import Primitive
from portanet.tape.trace import call
from portanet.tracing.program import Inner, Opaque, Operation, Variable, replaced
from portanet.tracing.record.host import HostFunction, RecordedKey, RecordedNumber
from portanet.tracing.record.record import RecordTrace


@dataclass(eq=False, repr=False)
class Cycle(Inner):
    """A loop over the first axis of arrays.

    Parameters
    ----------
    backend : Backend
    length : int
    reverse : bool
    constants : list of Variable
        Inputs of a step that are the same in each of them.
    carry : list of Variable
        Inputs that come from the step before.
    rows : list of Variable
        Inputs that are rows of arrays.
    operations : list of Operation
    last : list
        What the next step gets for `carry`. Here and below: variables, or arrays that are always
        the same.
    stacked : list
        What each step gives, to be stacked.
    summed : list
        What is added up over the steps.
    """

    backend: Any
    length: int
    reverse: bool
    constants: list[Variable]
    carry: list[Variable]
    rows: list[Variable]
    operations: list[Operation]
    last: list[Any]
    stacked: list[Any]
    summed: list[Any] = field(default_factory=list)
    _source: Any = None

    def __post_init__(self) -> None:
        self.visible = len(self.stacked)
        """How many of the stacked arrays may be kept: the others are for this replay alone."""

    def __repr__(self) -> str:
        return f"loop of {self.length} steps of {len(self.operations)} operations"

    def changed(self) -> None:
        """Forget the source, after the loop has got another step."""
        self._source = None

    @property
    def source(self) -> Any:
        if self._source is None:
            from portanet.tracing.write.cycle_source import CycleWriter

            self._source = CycleWriter(self).source()
        return self._source

    def instance(self) -> Callable[..., tuple[Any, ...]]:
        """Return the loop as a function of constants, the first carry, columns and a guard.

        It gives the last carry, then what is stacked, then what is summed. Where the guard is
        false it is not run, and gives zeros.
        """
        run = self.source.workspace()

        def loop(
            constants: Sequence[Any], init: Sequence[Any], columns: Sequence[Any], guard: Any = True
        ) -> tuple[Any, ...]:
            if guard:
                return run(*constants, *init, *columns)
            return self._nothing(init, guard)

        return loop

    def _nothing(self, init: Sequence[Any], guard: Any) -> tuple[Any, ...]:
        xp, device = self.backend.xp, self.backend.device_of(guard)
        shapes = [((self.length, *y.shape), y.dtype) for y in self.stacked]
        shapes += [(tuple(y.shape), y.dtype) for y in self.summed]
        return (*init, *(xp.zeros(shape, dtype=d, device=device) for shape, d in shapes))


def _run(loop: Any, *operands: Any) -> tuple[Any, ...]:
    if isinstance(loop, Cycle):
        loop = loop.instance()
    return loop(*operands)


def emit(
    trace: RecordTrace,
    cycle: Cycle,
    constants: Sequence[Any],
    init: Sequence[Any],
    columns: Sequence[Any],
    guard: Any = None,
) -> Emitted:
    """Append a loop to a recording, and run it on the values at hand.

    It is run where `guard`, an array of one boolean, is true or None.
    """
    operands: list[Any] = [list(group) for group in (constants, init, columns)]
    primitive = Primitive(LOOP, _run, trace.xp, Bundle)
    noted = [[trace._variable(x) for x in group] for group in operands]
    if guard is not None:
        operands.append(guard)
        noted.append(trace._variable(guard))
    operation = Operation(primitive, (cycle, *noted), {}, Opaque())
    trace.program.operations.append(operation)
    return Emitted(trace, cycle, operands, operation)


class Emitted:
    """A loop in a recording, which may still get other inputs and outputs."""

    def __init__(
        self, trace: RecordTrace, cycle: Cycle, operands: list[Any], operation: Operation
    ) -> None:
        self.trace = trace
        self.cycle = cycle
        self.operands = operands
        self.operation = operation
        self._values: tuple[Any, ...] = ()
        self._parts: dict[int, Any] = {}
        self.run()

    def run(self) -> None:
        """Compute the outputs on the values at hand."""
        self.cycle.changed()
        values = [replaced(_value, group) for group in self.operands]
        self._values = self.cycle.instance()(*values)

    def add_input(self, group: int, box: Any) -> None:
        """Let the loop have one more constant, 0, or one more array for its rows, 2."""
        self.operands[group].append(box)
        self.operation.args[group + 1].append(self.trace._variable(box))

    def part(self, i: int) -> Any:
        """Return the output `i` in the recording."""
        if i not in self._parts:
            trace, value = self.trace, self._values[i]
            bundle = Bundle(self._values, trace, self.operation.result)
            if hasattr(value, "shape"):
                self._parts[i] = trace.xp.part(bundle, i)
            else:
                variable = Opaque()
                call = Operation(_PART, [self.operation.result, i], {}, variable)
                trace.program.operations.append(call)
                self._parts[i] = RecordedKey(value, trace, variable)
        return self._parts[i]


LOOP = Card("loop")
_PART: Any = Primitive(PART, lambda bundle, i: bundle[i], None, Bundle)


def _value(x: Any) -> Any:
    if isinstance(x, RecordedKey):
        return Key(x.words)
    return x.value if isinstance(x, Box | RecordedNumber) else x


OF_BRANCH = (
    "pn.cond inside pn.jit has values and reverse derivatives of first order alone: leave this "
    "function out of jit, or choose entry by entry with xp.where(condition, a, b)"
)


def unrolled(
    cycle: Cycle, constants: Sequence[Any], init: Sequence[Any], columns: Sequence[Any]
) -> list[Any]:
    """Run a loop step by step on arrays of any traces; return its outputs."""
    xp = cycle.backend.xp
    rows = list(zip(*map(unstack, columns), strict=True)) or [()] * cycle.length
    carry = list(init)
    stacks, sums = [], None
    for row in reversed(rows) if cycle.reverse else rows:
        values = dict(zip(cycle.constants, constants, strict=True))
        values.update(zip(cycle.carry, carry, strict=True))
        values.update(zip(cycle.rows, row, strict=True))
        for operation in cycle.operations:
            values[operation.result] = evaluated(operation, values)
        carry, stacked, summed = (
            [values[y] if isinstance(y, Variable) else y for y in group]
            for group in (cycle.last, cycle.stacked, cycle.summed)
        )
        stacks.append(stacked)
        sums = summed if sums is None else [a + b for a, b in zip(sums, summed, strict=True)]
    if cycle.reverse:
        stacks.reverse()
    return [*carry, *map(xp.stack, zip(*stacks, strict=True)), *(sums or [])]


def evaluated(operation: Operation, values: dict[Variable, Any]) -> Any:
    """Compute an operation on arrays of any traces."""

    def current(x: Any) -> Any:
        return values[x] if isinstance(x, Variable) else x

    args = [replaced(current, x) for x in operation.args]
    options = {k: replaced(current, x) for k, x in operation.options.items()}
    if isinstance(operation.primitive, HostFunction):
        raise NoDerivativeError("a random draw inside a derivative inside a loop: draw before it")
    if operation.primitive.compute is _run:
        if len(args) > 4:
            raise NoDerivativeError(OF_BRANCH)
        return tuple(unrolled(*args))
    if operation.card is PART and not isinstance(args[0], Box):
        return args[0][args[1]]
    return call(operation.primitive, list(map(seen, args)), options)
