"""Chains of elementwise operations as single kernels, for libraries that compile these.

A kernel is text: the same chain in another program is the same kernel. Where the library cannot
build or run one, its operations are called one by one.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from portanet.tape.ops.card import Card
from portanet.tracing.plan.fused_groups import Group, grouped
from portanet.tracing.plan.fused_words import (
    C_TYPES,
    PREAMBLE,
    held,
    literal,
    rounded,
    words,
)
from portanet.tracing.program import Opaque, Operation, Program, Variable, replaced

_LONGEST = 60  # characters of a kernel's name

_warned: list[str] = []


def with_kernels(program: Program, backend: Any) -> Program:
    """Return a program in which kernels of a backend do what is elementwise."""
    operations: list[Operation] = []
    for item in grouped(program):
        if isinstance(item, Operation):
            operations.append(item)
        elif len(item.operations) == 1 and not _is_several(item.operations[0]):
            operations += item.operations
        else:
            operations += _calls(item, backend)
    return Program(program.inputs, operations, program.outputs)


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


@dataclass(frozen=True, slots=True)
class Text:
    """A kernel as ``cupy.ElementwiseKernel`` takes it."""

    inputs: str
    outputs: str
    body: str
    name: str
    preamble: str


class Fused:
    """The primitive of several operations in one kernel.

    Attributes
    ----------
    operands, results : list
        The arguments of the kernel, and the variables of what it returns.
    text : Text
    """

    card = Card("fused kernel")

    def __init__(self, group: Group, backend: Any) -> None:
        self.operations = group.operations
        self.results = [x.result for x in group.operations if x.result in group.open]
        writer = _Writer(self.operations, self.results)
        self.operands = writer.operands
        self.text = writer.text
        self.name = self.text.name
        self._kernel = None
        try:
            self._kernel = backend.elementwise_kernel(self.text)
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


class _Writer:
    """Puts operations into the words of one kernel."""

    def __init__(self, operations: list[Operation], results: list[Variable]) -> None:
        self.operands: list[Any] = []
        self._inputs: list[str] = []
        self._lines: list[str] = []
        self._helpers: set[str] = set()
        self._names: dict[Any, str] = {}
        self._dtypes: dict[Variable, str] = {}
        for number, operation in enumerate(operations):
            self._write(operation, f"v{number}")
        outputs = []
        for number, y in enumerate(results):
            dtype = self._dtypes[y]
            outputs.append(f"{dtype} y{number}")
            self._lines.append(f"y{number} = static_cast<{C_TYPES[dtype]}>({self._names[y]});")
        chain = "_".join(operation.name for operation in operations)
        self.text = Text(
            ", ".join(self._inputs),
            ", ".join(outputs),
            "\n".join(self._lines),
            f"portanet_{chain}"[:_LONGEST],
            "".join([PREAMBLE, *sorted(self._helpers), "\n"]),
        )

    def _write(self, operation: Operation, name: str) -> None:
        said = words(operation)
        assert said is not None
        known, call, dtype = said
        self._helpers.add(known.helper)
        texts = map(self._operand, call.args, call.dtypes)
        text = rounded(call.text.format(*texts, type=held(dtype)), dtype)
        self._lines.append(f"const {held(dtype)} {name} = {text};")
        self._names[operation.result] = name
        self._dtypes[operation.result] = dtype

    def _operand(self, x: Any, dtype: str) -> str:
        """Return the name of an operand, or itself; what is neither computed nor said is given."""
        number = literal(x, dtype)
        if number is not None:
            return number
        key: Any = x if isinstance(x, Variable) and not isinstance(x, Opaque) else (id(x), dtype)
        if key not in self._names:
            i = len(self.operands)
            self.operands.append(x)
            self._inputs.append(f"{dtype} a{i}")
            self._names[key] = f"x{i}"
            self._lines.append(f"const {held(dtype)} x{i} = static_cast<{held(dtype)}>(a{i});")
        return self._names[key]
