"""Kernels of rows: what is elementwise before, between and after reductions.

A block of threads takes some rows at a time. Each pass over a row computes its entries anew from
what is given, up to the reductions that can be done by then; the entries of a thread are joined
first, then those of all threads, in a tree. So nothing of the size of a row is kept, and a row may
have any length. Where all rows are reduced together, one block takes them all, once for each turn.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from portanet.tape.ops.words import Fold
from portanet.tracing.plan.fused_groups import Group
from portanet.tracing.plan.fused_levels import Level
from portanet.tracing.plan.fused_order import Order
from portanet.tracing.plan.fused_reads import Reads
from portanet.tracing.plan.fused_text import Statements, kernel_name
from portanet.tracing.plan.fused_words import C_TYPES, held, rounded
from portanet.tracing.program import Operation, Variable

_THREADS = 256  # of a block that takes some rows: a power of two
_MOST_THREADS = 1024  # of one that takes all

_HALF = """
#include <cupy/carray.cuh>
#if __has_include(<cupy/float16.cuh>)
#include <cupy/float16.cuh>
#endif"""

# The partial results of `width` neighbouring threads become one, which all of them get.
_JOINED = """
template <typename Join, typename T>
__device__ T portanet_joined(T mine, unsigned int width, double *parts) {
    const unsigned int thread = threadIdx.y * blockDim.x + threadIdx.x, lane = thread % width;
    T *own = reinterpret_cast<T *>(parts) + (thread - lane);
    own[lane] = mine;
    __syncthreads();
    for (unsigned int half = width / 2; half; half /= 2) {
        if (lane < half) own[lane] = Join::of(own[lane], own[lane + half]);
        __syncthreads();
    }
    const T all = own[0];
    __syncthreads();
    return all;
}"""
_TURN = """
for (long long first = blockIdx.x * together; first < rows; first += gridDim.x * together) {
const bool inside = first + threadIdx.y < rows;
const long long row = inside ? first + threadIdx.y : rows - 1;"""
_PASS = "for (long long column = threadIdx.x; column < columns; column += blockDim.x) {"
_FIRST_OF_ROW = "if (inside && threadIdx.x == 0)"
_FIRST_OF_ALL = "if (threadIdx.x == 0 && threadIdx.y == 0)"


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
        read for a ``"row"``, without that of the last; or a number, ``"double"`` or
        ``"long long"``.
    outputs : tuple of tuple
        The dtype of each output and its `Level`.
    threads : int
        The most that a block may have, a power of two.
    alone : bool
        Whether one block takes all rows.
    """

    name: str
    code: str
    inputs: tuple[str, ...]
    outputs: tuple[tuple[str, Level], ...]
    threads: int
    alone: bool


class Rows(Statements):
    """The operations of a group with reductions.

    Attributes
    ----------
    text : RowText
    """

    def __init__(self, group: Group, results: Sequence[Variable]) -> None:
        reads = Reads(len(group.shape) - 1)
        super().__init__(reads.operands)
        self._reads = reads
        self._group = group
        self._results = list(results)
        self._order = Order(group)
        self._numbers = {x.result: number for number, x in enumerate(group.operations)}
        self._level = Level.ENTRY
        self._structs: dict[str, str] = {}
        turns = [self._turn(number) for number in range(self._order.turns)]
        self.text = self._text([line for lines in turns for line in lines])

    def _text(self, lines: list[str]) -> RowText:
        name, reads = kernel_name(self._group.operations, "portanet_rows"), self._reads
        outputs = [(str(y.dtype), self._group.levels[y]) for y in self._results]
        parameters = [
            "const long long rows",
            "const long long columns",
            *(f"const long long n{axis}" for axis in range(1, reads.axes)),
            *reads.parameters,
            *(f"{C_TYPES[dtype]} *y{i}" for i, (dtype, _) in enumerate(outputs)),
        ]
        alone = bool(self._group.totals)
        threads = _MOST_THREADS if alone else _THREADS
        code = [
            _HALF if any("float16" in line for line in (*parameters, *lines)) else "",
            self.preamble,
            *self._structs.values(),
            _JOINED,
            # A thousand threads have few registers each: a kernel with more would not start.
            f'extern "C" __global__ void __launch_bounds__({threads})',
            f"{name}({', '.join(parameters)}) {{",
            f"__shared__ double parts[{threads}];",
            "const long long together = blockDim.y;",
            *reads.numbers,
            *lines,
            "}",
        ]
        return RowText(name, "\n".join(code), tuple(reads.inputs), tuple(outputs), threads, alone)

    def _turn(self, turn: int) -> list[str]:
        """Return a turn through the rows, and what is computed once it is over."""
        order, group = self._order, self._group
        after = [x for x in group.operations if group.levels[x.result].is_total]
        totals = [x for x in after if x in group.folds and order.reads_at(x)[0] == turn]
        written = [
            y for y in self._results if not group.levels[y].is_total and order.at[y][0] == turn
        ]
        needed = order.needed([*written, *(x.args[0] for x in totals)])
        lines, of_all = [], dict(self.names)
        self._reads.begin_turn()
        passes = max((order.at[x.result][1] for x in needed), default=0)
        for number in range(passes + 1):
            lines += self._rows(number, needed, written, totals)
            lines += self._pass(number, needed, written, totals)
        self.names = of_all
        starts = [self._start(x) for x in totals]
        turns = [*starts, _TURN, *self._reads.pointers(), *lines, "}"] if needed or totals else []
        for operation in after:
            if order.at[operation.result][0] == turn + 1:
                turns += self._of_all(operation)
        return turns

    def _of_all(self, operation: Operation) -> list[str]:
        """Return what is computed once for all rows, and written once."""
        self._level = self._group.levels[operation.result]
        if operation in self._group.folds:
            entries = self._group.levels.get(operation.args[0], Level.ENTRY) is Level.ENTRY
            count = "rows * columns" if entries else "rows"
            lines = [self._end(operation, "blockDim.x * blockDim.y", count)]
        else:
            lines = self._computed(operation)
        y = operation.result
        return [*lines, f"{_FIRST_OF_ALL} {self._writes(y)}"] if y in self._results else lines

    def _rows(
        self,
        number: int,
        needed: Sequence[Operation],
        written: Sequence[Variable],
        totals: Sequence[Operation],
    ) -> list[str]:
        """Return what is computed once a row after so many passes, and what it is for."""
        group, lines = self._group, []
        for operation in needed:
            y, level = operation.result, group.levels[operation.result]
            if not level.is_of_rows or self._order.at[y][1] != number:
                continue
            if operation not in group.folds:
                self._level = level
                lines += self._computed(operation)
            if y in written:
                lines.append(f"{_FIRST_OF_ROW} {self._writes(y)}")
            lines += [
                f"{_FIRST_OF_ROW} {self._join(x, self.names[y])}" for x in totals if x.args[0] is y
            ]
        return lines

    def _pass(
        self,
        number: int,
        needed: Sequence[Operation],
        written: Sequence[Variable],
        totals: Sequence[Operation],
    ) -> list[str]:
        """Return a pass over the row: the results and the reductions that can be done by now."""
        group, at = self._group, self._order.at
        written = [y for y in written if group.levels[y] is Level.ENTRY and at[y][1] == number]
        folds = [x for x in needed if x in group.folds and self._order.reads_at(x)[1] == number]
        totals = [
            x
            for x in totals
            if group.levels.get(x.args[0], Level.ENTRY) is Level.ENTRY
            and self._order.reads_at(x)[1] == number
        ]
        if not (folds or written or totals):
            return []
        of_rows, self._level, inner = dict(self.names), Level.ENTRY, []
        self._reads.begin_pass()
        wanted = [*written, *(x.args[0] for x in (*folds, *totals))]
        for operation in self._order.needed(wanted, Level.ENTRY):
            inner += self._computed(operation)
        for x in (*folds, *totals):
            entry = self._operand(x.args[0], str(x.result.dtype), inner)
            inner.append("if (inside) " * (x in totals) + self._join(x, entry))
        inner += [f"if (inside) {self._writes(y)}" for y in written]
        self.names = of_rows
        ends = [self._end(x, "blockDim.x", "columns") for x in folds]
        return [*map(self._start, folds), _PASS, *inner, "}", *ends]

    def _computed(self, operation: Operation) -> list[str]:
        if operation in self._group.views:
            self.names[operation.result] = self.names[operation.args[0]]
            return []
        return self.statement(operation, self._name(operation))[0]

    def _start(self, operation: Operation) -> str:
        return f"{_kind(operation)} all_{self._name(operation)} = {_fold(operation).start};"

    def _join(self, operation: Operation, entry: str) -> str:
        """Return the statement that joins an entry to the partial result of a thread."""
        struct, all_of = self._struct(operation), f"all_{self._name(operation)}"
        return f"{all_of} = {struct}::of({all_of}, {entry});"

    def _end(self, operation: Operation, width: str, count: str) -> str:
        """Return the statement that joins the partial results of threads."""
        name, kind, struct = self._name(operation), _kind(operation), self._struct(operation)
        joined = f"(portanet_joined<{struct}, {kind}>(all_{name}, {width}, parts))"
        end = _fold(operation).end.format(joined, count=f"static_cast<{kind}>({count})")
        self.names[operation.result] = name
        return f"const {kind} {name} = {rounded(end, str(operation.result.dtype))};"

    def _struct(self, operation: Operation) -> str:
        fold, name = _fold(operation), f"portanet_{operation.name}"
        self.helpers.update(fold.helpers)
        self._structs[name] = (
            f"struct {name} {{ template <typename T> static __device__ T of(T a, T b) "
            f"{{ return {fold.text.format('a', 'b')}; }} }};"
        )
        return name

    def _writes(self, y: Variable) -> str:
        """Return the statement that writes a result to its place."""
        level, kind = self._group.levels[y], C_TYPES[str(y.dtype)]
        place = "0" if level.is_total else "row" if level.is_of_rows else "row * columns + column"
        return f"y{self._results.index(y)}[{place}] = static_cast<{kind}>({self.names[y]});"

    def _name(self, operation: Operation) -> str:
        return f"v{self._numbers[operation.result]}"

    def given(self, x: Any, dtype: str, lines: list[str]) -> str:
        return self._reads.name(x, dtype, self._level, lines)


def _kind(operation: Operation) -> str:
    """Return the type in which a reduction adds up."""
    return held(str(operation.result.dtype))


def _fold(operation: Operation) -> Fold:
    fold = operation.card.fold
    assert fold is not None
    return fold
