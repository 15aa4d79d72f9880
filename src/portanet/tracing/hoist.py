"""Random keys and counters beside a library's own compiler.

A compiler would draw once and for all, and compile the first count in. So the function first runs
as it is, while its work on the host is recorded: splitting keys, drawing, counting. Each call then
replays that work and hands the compiled function the draws and the numbers as arguments.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from portanet import trees
from portanet.backends import is_array_of
from portanet.random import Key
from portanet.tracing.host import (
    HostFunction,
    RecordedKey,
    RecordedNumber,
    draw_operation,
    recorded_number,
)
from portanet.tracing.program import Opaque, Operation, Program, Variable
from portanet.tracing.record import Captured
from portanet.tracing.source import Writer


class _HostTrace:
    """Record the work on the host and what of it the arrays use, or give what was recorded."""

    def __init__(self, backend: Any, given: Iterator[Any] | None = None) -> None:
        self.backend = backend
        self.given = given
        self.operations: list[Operation] = []
        self.used: list[Variable] = []
        self.values: list[Any] = []

    def host(self, function: HostFunction, operands: Sequence[Any]) -> Variable:
        variable = Opaque()
        self.operations.append(Operation(function, operands, {}, variable))
        return variable

    def draw(self, key: Any, backend: Any, *request: Any) -> Any:
        if self.given is not None:
            return next(self.given)
        operation, values = draw_operation(key, backend, *request)
        self.operations.append(operation)
        return self._use(operation.result, values)

    def number(self, number: RecordedNumber, bare: bool = False) -> Any:
        """Return what stands for a number in the compiled function, `bare` as it is."""
        if self.given is not None:
            return next(self.given)
        value = number.value if bare else self.backend.xp.asarray(number.value)
        return self._use(number.variable, value)

    def _use(self, variable: Variable, value: Any) -> Any:
        self.used.append(variable)
        self.values.append(value)
        return value

    def lifted(self, x: Any, variable: Variable) -> Any:
        if isinstance(x, Key):
            return RecordedKey(x, self, variable)
        return recorded_number(x, self, variable)


class Hoisted:
    """A function of arrays, keys and counters, compiled by the library.

    Parameters
    ----------
    function : callable
        Takes the inputs one by one, returns a list.
    inputs : sequence
    backend : Backend
    donated : sequence of int
        The inputs whose memory the results may take.

    Attributes
    ----------
    first : list
        The outputs of the run that recorded it.
    """

    def __init__(
        self,
        function: Callable[..., Sequence[Any]],
        inputs: Sequence[Any],
        backend: Any,
        donated: Sequence[int] = (),
    ) -> None:
        arrays = [i for i, x in enumerate(inputs) if is_array_of(backend, x)]
        self._donated = [i for i in arrays if i in donated]
        self._arrays = [i for i in arrays if i not in donated]
        self._host = [i for i in range(len(inputs)) if i not in set(arrays)]
        self._count = len(inputs)
        trace = _HostTrace(backend)
        variables: list[Variable] = [Opaque() for _ in self._host]
        outputs = list(function(*self._filled(trace, variables, inputs, inputs)))
        self.first = [_value(y) for y in outputs]
        self._computed = [i for i, y in enumerate(outputs) if is_array_of(backend, y)]
        if any(backend.is_traced(outputs[i]) for i in self._computed):
            raise Captured
        recorded = [i for i, y in enumerate(outputs) if isinstance(y, RecordedKey | RecordedNumber)]
        self._recorded = recorded
        varying = {*recorded, *self._computed}
        self._constant = [None if i in varying else y for i, y in enumerate(self.first)]
        self._used = len(trace.used)
        results = [*trace.used, *(outputs[i].variable for i in recorded)]
        values = [*trace.values, *(self.first[i] for i in recorded)]
        program = Program(variables, trace.operations, results)
        host_inputs = [inputs[i] for i in self._host]
        structure = trees.flatten([0] * len(values))[1]
        self._run_host = Writer(program, values, host_inputs, False).source(structure).workspace()

        def arrays_alone(
            donated: Sequence[Any], arrays: Sequence[Any], used: Sequence[Any]
        ) -> list[Any]:
            given = dict(zip(self._donated, donated, strict=True))
            given.update(zip(self._arrays, arrays, strict=True))
            trace = _HostTrace(backend, iter(used))
            placed = self._filled(trace, [Opaque() for _ in self._host], inputs, given)
            found = list(function(*placed))
            return [found[i] for i in self._computed]

        self._run = backend.compile(arrays_alone, donated=(0,) if self._donated else ())

    def _filled(self, trace: Any, variables: Any, inputs: Any, arrays: Any) -> list[Any]:
        filled = [None] * self._count
        for i in (*self._donated, *self._arrays):
            filled[i] = arrays[i]
        for i, variable in zip(self._host, variables, strict=True):
            filled[i] = trace.lifted(inputs[i], variable)
        return filled

    def __call__(self, inputs: Sequence[Any]) -> list[Any]:
        done = self._run_host(*(inputs[i] for i in self._host)) if self._host else []
        donated = [inputs[i] for i in self._donated]
        found = self._run(donated, [inputs[i] for i in self._arrays], list(done[: self._used]))
        outputs = list(self._constant)
        for i, y in zip(self._computed, found, strict=True):
            outputs[i] = y
        for i, y in zip(self._recorded, done[self._used :], strict=True):
            outputs[i] = y
        return outputs


def _value(y: Any) -> Any:
    if isinstance(y, RecordedKey):
        return Key(y.words)
    return y.value if isinstance(y, RecordedNumber) else y
