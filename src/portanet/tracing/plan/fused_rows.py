"""Kernels of rows: what is elementwise before, between and after reductions of the last axis.

A block of threads takes some rows at a time. Each pass over a row computes its entries anew from
what is given, up to the reductions that can be done by then; the entries of a thread are joined
first, then those of all threads, in a tree. So nothing of the size of a row is kept, a row may
have any length, and one result in memory is written once.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from portanet.tracing.plan.fused_groups import Group, Level
from portanet.tracing.plan.fused_text import Statements, identity, kernel_name
from portanet.tracing.plan.fused_words import C_TYPES, held, rounded
from portanet.tracing.program import Opaque, Operation, Variable

THREADS = 256
"""The most threads of a block, a power of two; so many partial results have room."""

_HALF = """
#include <cupy/carray.cuh>
#if __has_include(<cupy/float16.cuh>)
#include <cupy/float16.cuh>
#endif"""

_JOINED = """
template <typename Join, typename T> __device__ T portanet_joined(T mine) {{
    __shared__ T parts[{threads}];
    T *own = parts + threadIdx.y * blockDim.x;
    own[threadIdx.x] = mine;
    __syncthreads();
    for (unsigned int half = blockDim.x / 2; half; half /= 2) {{
        if (threadIdx.x < half)
            own[threadIdx.x] = Join::of(own[threadIdx.x], own[threadIdx.x + half]);
        __syncthreads();
    }}
    const T all = own[0];
    __syncthreads();
    return all;
}}"""


@dataclass(frozen=True, slots=True)
class RowText:
    """A kernel of rows as ``cupy.RawKernel`` takes it, and how it is called.

    Its arguments are the number of rows, their length, the lengths of the axes before the last but
    for the first, then each input, then each output, which is whole and row by row.

    Attributes
    ----------
    name, code : str
    inputs : tuple of str
        What each input is: an ``"array"`` with the strides of all axes, in entries, or one that is
        read once a ``"row"``, without that of the last; or a number, ``"double"`` or
        ``"long long"``.
    outputs : tuple of tuple
        The dtype of each output and its `Level`.
    """

    name: str
    code: str
    inputs: tuple[str, ...]
    outputs: tuple[tuple[str, Level], ...]


class Rows(Statements):
    """The operations of a group with reductions.

    Attributes
    ----------
    text : RowText
    """

    def __init__(self, group: Group, results: Sequence[Variable]) -> None:
        super().__init__()
        self._group = group
        self._results = list(results)
        self._passes = _passes(group)
        self._numbers = {x.result: number for number, x in enumerate(group.operations)}
        self._axes = len(group.shape) - 1
        self._parameters: list[str] = []
        self._inputs: list[str] = []
        self._starts: list[str] = []
        self._places: dict[Any, int] = {}
        self._of_row: dict[Any, str] = {}
        self._of_entry: dict[Any, str] = {}
        self._level = Level.ENTRY
        self._structs: dict[str, str] = {}
        lines = [
            line
            for number in range(max(self._passes.values()) + 1)
            for line in (*self._rows(number), *self._pass(number))
        ]
        self.text = self._text(lines)

    def _text(self, lines: list[str]) -> RowText:
        name = kernel_name(self._group.operations, "portanet_rows")
        outputs = [(str(y.dtype), self._group.levels[y]) for y in self._results]
        parameters = [
            "const long long rows",
            "const long long columns",
            *(f"const long long n{axis}" for axis in range(1, self._axes)),
            *self._parameters,
            *(f"{C_TYPES[dtype]} *y{i}" for i, (dtype, _) in enumerate(outputs)),
        ]
        code = [
            self.preamble,
            *self._structs.values(),
            _JOINED.format(threads=THREADS),
            f'extern "C" __global__ void {name}({", ".join(parameters)}) {{',
            "const long long together = blockDim.y;",
            "for (long long first = blockIdx.x * together; first < rows;",
            "     first += gridDim.x * together) {",
            "const bool inside = first + threadIdx.y < rows;",
            "const long long row = inside ? first + threadIdx.y : rows - 1;",
            *self._indices(),
            *self._starts,
            *lines,
            "}",
            "}",
        ]
        half = _HALF if any("float16" in line for line in (*parameters, *lines)) else ""
        return RowText(name, "\n".join([half, *code]), tuple(self._inputs), tuple(outputs))

    def _indices(self) -> list[str]:
        """Return what makes the indices of the axes before the last of the number of a row."""
        lines, rest = [], "row"
        for axis in range(self._axes - 1, 0, -1):
            lines.append(f"const long long i{axis} = ({rest}) % n{axis};")
            rest = f"({rest}) / n{axis}"
        return [*lines, f"const long long i0 = {rest};"] if self._axes else lines

    def _rows(self, number: int) -> list[str]:
        """Return what is computed once a row after so many passes, and its results."""
        group, lines = self._group, []
        for operation in group.operations:
            y, level = operation.result, group.levels[operation.result]
            if level is Level.ENTRY or self._passes[y] != number:
                continue
            if operation not in group.folds:
                self._level = level
                lines += self._computed(operation)
            if y in self._results:
                lines.append(f"if (inside && threadIdx.x == 0) {self._writes(y)}")
        return lines

    def _pass(self, number: int) -> list[str]:
        """Return a pass over the row: the results and the reductions that can be done by now."""
        group = self._group
        folds = [x for x in group.operations if x in group.folds and self._reads_at(x) == number]
        written = [
            y
            for y in self._results
            if group.levels[y] is Level.ENTRY and self._passes[y] == number
        ]
        if not folds and not written:
            return []
        of_rows, self._level, self._of_entry = dict(self.names), Level.ENTRY, {}
        inner: list[str] = []
        for operation in _needed(group, [*written, *(x.args[0] for x in folds)]):
            inner += self._computed(operation)
        starts, ends = [], []
        for operation in folds:
            start, join, end = self._folded(operation, inner)
            starts.append(start)
            inner.append(join)
            ends.append(end)
        if written:
            inner += ["if (inside) {", *map(self._writes, written), "}"]
        self.names = of_rows | {x.result: self._name(x) for x in folds}
        loop = "for (long long column = threadIdx.x; column < columns; column += blockDim.x) {"
        return [*starts, loop, *inner, "}", *ends]

    def _reads_at(self, fold: Operation) -> int:
        return self._passes[fold.args[0]]

    def _computed(self, operation: Operation) -> list[str]:
        if operation in self._group.views:
            self.names[operation.result] = self.names[operation.args[0]]
            return []
        return self.statement(operation, self._name(operation))[0]

    def _folded(self, operation: Operation, inner: list[str]) -> tuple[str, str, str]:
        """Return how a reduction starts, joins an entry, and ends; `inner` gets what reads one."""
        dtype, name, fold = str(operation.result.dtype), self._name(operation), operation.card.fold
        assert fold is not None
        entry = self._operand(operation.args[0], dtype, inner)
        kind, struct = held(dtype), f"portanet_{operation.name}"
        self.helpers.add(fold.helper)
        self._structs[struct] = (
            f"struct {struct} {{ template <typename T> static __device__ T of(T a, T b) "
            f"{{ return {fold.text.format('a', 'b')}; }} }};"
        )
        joined = f"(portanet_joined<{struct}, {kind}>(all_{name}))"
        end = fold.end.format(joined, count=f"static_cast<{kind}>(columns)")
        return (
            f"{kind} all_{name} = {fold.start};",
            f"all_{name} = {struct}::of(all_{name}, {entry});",
            f"const {kind} {name} = {rounded(end, dtype)};",
        )

    def _writes(self, y: Variable) -> str:
        """Return the statement that writes a result to its place."""
        entry = self._group.levels[y] is Level.ENTRY
        place, kind = "row * columns + column" if entry else "row", C_TYPES[str(y.dtype)]
        return f"y{self._results.index(y)}[{place}] = static_cast<{kind}>({self.names[y]});"

    def _name(self, operation: Operation) -> str:
        return f"v{self._numbers[operation.result]}"

    def given(self, x: Any, dtype: str, lines: list[str]) -> str:
        if isinstance(x, Opaque | bool | int | float | np.generic):
            return self._number(x, dtype)
        how = "row" if self._level is Level.DROPPED else "array"
        key, entry = (identity(x, dtype), how), self._level is Level.ENTRY
        if key in self._of_row:
            return self._of_row[key]
        read = self._of_entry if entry else self._of_row
        if key not in read:
            if key not in self._places:
                self._places[key] = self._placed(x, dtype, how)
            i = self._places[key]
            read[key], at = (f"e{i}", f"column * a{i}_last") if entry else (f"r{i}", "0")
            lines.append(f"const {held(dtype)} {read[key]} = static_cast<{held(dtype)}>(p{i}[{at}]);")
        return read[key]

    def _placed(self, x: Any, dtype: str, how: str) -> int:
        """Add an array to the parameters; return its number."""
        i = len(self.operands)
        self.operands.append(x)
        self._inputs.append(how)
        strides = [f"a{i}_{axis}" for axis in range(self._axes)]
        steps = [*strides, f"a{i}_last"] if how == "array" else strides
        pointer = f"const {C_TYPES[dtype]} *"
        self._parameters += [f"{pointer}a{i}", *(f"const long long {step}" for step in steps)]
        place = " + ".join([f"a{i}", *(f"i{axis} * {step}" for axis, step in enumerate(strides))])
        self._starts.append(f"{pointer}p{i} = {place};")
        return i

    def _number(self, x: Any, dtype: str) -> str:
        """Return the name of a number, which is given as it is and rounded here."""
        key = identity(x, dtype), "number"
        if key not in self._of_row:
            i, kind = len(self.operands), "double" if dtype.startswith("float") else "long long"
            self.operands.append(x)
            self._inputs.append(kind)
            self._parameters.append(f"const {kind} a{i}")
            self._starts.append(f"const {held(dtype)} x{i} = {rounded(f'a{i}', dtype)};")
            self._of_row[key] = f"x{i}"
        return self._of_row[key]


def _passes(group: Group) -> dict[Variable, int]:
    """Return for each variable the number of passes over the row before it can be computed."""
    passes: dict[Variable, int] = {}
    for operation in group.operations:
        before = max((passes.get(v, 0) for v in operation.operands), default=0)
        passes[operation.result] = before + (operation in group.folds)
        for v in operation.operands:
            passes.setdefault(v, 0)
    return passes


def _needed(group: Group, wanted: Iterable[Variable]) -> list[Operation]:
    """Return the operations on entries from which variables are computed, in their order."""
    needed, found = set(wanted), []
    for operation in reversed(group.operations):
        if operation.result in needed and group.levels[operation.result] is Level.ENTRY:
            needed.update(operation.operands)
            found.append(operation)
    return found[::-1]
