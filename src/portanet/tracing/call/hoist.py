"""Random keys and counters beside a library's own compiler.

A compiler would draw once and for all, and compile the first count in. So the function is first
rehearsed, while its work on the host is recorded: splitting keys, drawing, counting. Each call then
replays that work and hands the compiled function the draws and the numbers as arguments.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from portanet import trees
from portanet.errors import TracedValueError
from portanet.interface import is_array_of
from portanet.random import Key
from portanet.tape.trace import Captured
from portanet.tracing.program import HostFunction, Opaque, Operation, Program, Variable
from portanet.tracing.record.host import (
    KEPT,
    RecordedKey,
    RecordedNumber,
    draw_operation,
    recorded_number,
)
from portanet.tracing.record.record import recording
from portanet.tracing.write.source import Writer


class _HostTrace:
    """Record the work on the host and what of it the arrays use, or give what was recorded."""

    def __init__(self, backend: Any, device: Any, given: Iterator[Any] | None = None) -> None:
        self.backend = backend
        self.device = device
        self.given = given
        self.finished = False
        self.operations: list[Operation] = []
        self.used: list[Variable] = []
        self.values: list[Any] = []

    @contextmanager
    def running(self) -> Iterator[None]:
        token = _innermost.set(self)
        try:
            yield
        finally:
            _innermost.reset(token)
            self.finished = True

    def _check_running(self) -> None:
        if self.finished:
            raise TracedValueError(KEPT)
        if _innermost.get() not in (self, None):  # None: in a thread of the library
            raise Captured

    def host(self, function: HostFunction, operands: Sequence[Any]) -> Variable:
        self._check_running()
        variable = Opaque()
        self.operations.append(Operation(function, operands, {}, variable))
        return variable

    def draw(self, key: Any, backend: Any, name: str, shape: tuple[int, ...], like: Any) -> Any:
        self._check_running()
        if self.given is not None:
            return next(self.given)
        with backend.untraced():
            operation, values = draw_operation(key, backend, name, shape, like, self.device)
        self.operations.append(operation)
        self._use(operation.result, values)
        return values

    def number(self, number: RecordedNumber, bare: bool = False) -> Any:
        """Return what stands for a number in the compiled function, `bare` as it is."""
        self._check_running()
        if self.given is not None:
            return next(self.given)
        self._use(number.variable, number.value)
        return number.value if bare else self.backend.xp.asarray(number.value)

    def _use(self, variable: Variable, value: Any) -> None:
        self.used.append(variable)
        self.values.append(value)

    def lifted(self, x: Any, variable: Variable) -> Any:
        if isinstance(x, Key):
            return RecordedKey(x, self, variable)
        return recorded_number(x, self, variable)


_innermost: ContextVar[_HostTrace | None] = ContextVar("portanet_host_trace", default=None)


def is_recorded() -> bool:
    """Whether what runs now is recorded to be replayed, here or by a library's compiler."""
    return recording.get() is not None or _innermost.get() is not None


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
    mode : str, optional
        For the library's compiler.
    """

    def __init__(
        self,
        function: Callable[..., Sequence[Any]],
        inputs: Sequence[Any],
        backend: Any,
        donated: Sequence[int] = (),
        mode: str | None = None,
    ) -> None:
        arrays = [i for i, x in enumerate(inputs) if is_array_of(backend, x)]
        self._donated = [i for i in arrays if i in donated]
        self._arrays = [i for i in arrays if i not in donated]
        self._host = [i for i in range(len(inputs)) if i not in set(arrays)]
        self._count = len(inputs)
        device = backend.device_of(inputs[arrays[0]])
        trace = _HostTrace(backend, device)
        variables: list[Variable] = [Opaque() for _ in self._host]
        host_inputs = [inputs[i] for i in self._host]
        computed: list[int] = []
        others: list[Any] = []

        def rehearsed(*values: Any) -> list[Any]:
            given = dict(zip(arrays, values, strict=True))
            with trace.running():
                outputs = list(function(*self._filled(trace, variables, host_inputs, given)))
            computed[:] = [i for i, y in enumerate(outputs) if is_array_of(backend, y)]
            others[:] = [None if i in computed else y for i, y in enumerate(outputs)]
            return [outputs[i] for i in computed]

        backend.rehearse(rehearsed, [inputs[i] for i in arrays])
        recorded = [i for i, y in enumerate(others) if isinstance(y, RecordedKey | RecordedNumber)]
        if any(others[i].owner is not trace for i in recorded):
            raise Captured
        self._computed = computed
        self._recorded = recorded
        self._constant = [None if i in recorded else y for i, y in enumerate(others)]
        self._used = len(trace.used)
        results = [*trace.used, *(others[i].variable for i in recorded)]
        values = [*trace.values, *(_value(others[i]) for i in recorded)]
        program = Program(variables, trace.operations, results)
        structure = trees.flatten([0] * len(values))[1]
        self._run_host = Writer(program, values, host_inputs, False).source(structure).workspace()

        def arrays_alone(
            donated: Sequence[Any], arrays: Sequence[Any], used: Sequence[Any]
        ) -> list[Any]:
            given = dict(zip(self._donated, donated, strict=True))
            given.update(zip(self._arrays, arrays, strict=True))
            trace = _HostTrace(backend, device, iter(used))
            with trace.running():
                placed = self._filled(trace, [Opaque() for _ in self._host], host_inputs, given)
                outputs = list(function(*placed))
            return [outputs[i] for i in computed]

        self._run = backend.compile(arrays_alone, (0,) if self._donated else (), mode)
        self._first = values

    def _filled(self, trace: Any, variables: Any, host_inputs: Any, arrays: Any) -> list[Any]:
        filled = [None] * self._count
        for i in (*self._donated, *self._arrays):
            filled[i] = arrays[i]
        for i, x, variable in zip(self._host, host_inputs, variables, strict=True):
            filled[i] = trace.lifted(x, variable)
        return filled

    def first(self, inputs: Sequence[Any]) -> list[Any]:
        """Return the outputs for the inputs that it was made of, once, with the draws made then."""
        values = self._first
        del self._first
        return self._joined(self._compute(inputs, values), values)

    def __call__(self, inputs: Sequence[Any]) -> list[Any]:
        done = self._run_host(*(inputs[i] for i in self._host)) if self._host else []
        return self._joined(self._compute(inputs, done), done)

    def _compute(self, inputs: Sequence[Any], done: Sequence[Any]) -> Sequence[Any]:
        donated = [inputs[i] for i in self._donated]
        return self._run(donated, [inputs[i] for i in self._arrays], list(done[: self._used]))

    def _joined(self, found: Sequence[Any], done: Sequence[Any]) -> list[Any]:
        outputs = list(self._constant)
        for i, y in zip(self._computed, found, strict=True):
            outputs[i] = y
        for i, y in zip(self._recorded, done[self._used :], strict=True):
            outputs[i] = y
        return outputs


def _value(y: RecordedKey | RecordedNumber) -> Any:
    return Key(y.words) if isinstance(y, RecordedKey) else y.value
