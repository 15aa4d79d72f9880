"""Where the arrays of a program live: by liveness, each in memory that nothing alive uses then."""

from __future__ import annotations

import bisect
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from portanet.tracing.plan.blocks import BlockLoop
from portanet.tracing.plan.steps import Plan, Step
from portanet.tracing.program import Variable

_LINE = 64
_STRIP = 16  # columns of a matrix: one or two lines of the cache in each row
_LARGE = 1 << 16  # entries of a matrix that leaves the first-level cache


class Slots:
    """Pieces of memory that are lent, given back and lent again.

    Attributes
    ----------
    sizes : list of int
        The bytes of each piece; their sum is the memory that the program holds between calls.
    """

    def __init__(self) -> None:
        self.sizes: list[int] = []
        self._free: list[tuple[int, int]] = []

    def lend(self, nbytes: int) -> int:
        """Return the number of the smallest free piece that fits, or of a new one."""
        nbytes = rounded(nbytes)
        place = bisect.bisect_left(self._free, (nbytes, -1))
        if place < len(self._free) and self._free[place][0] <= 4 * nbytes:
            return self._free.pop(place)[1]
        self.sizes.append(nbytes)
        return len(self.sizes) - 1

    def give_back(self, slot: int) -> None:
        bisect.insort(self._free, (self.sizes[slot], slot))


class Storage:
    """The place of each variable in kept memory.

    Attributes
    ----------
    slots : Slots
    places : dict
        For each variable its slot and its first byte there.
    live_until : dict
        Liveness: for each variable that owns memory the number of the last item that reads it.
    given : dict
        The slots that are new in each call, as the result named here is at last left in them.
    taken : dict
        Donation: for each result that is written over a donated input that input.
    """

    def __init__(
        self, items: Sequence[Step | BlockLoop], plan: Plan, donated: Iterable[Variable] = ()
    ) -> None:
        self.plan = plan
        self.taken: dict[Variable, Variable] = {}
        self._donated = set(donated)
        self.slots = Slots()
        self.places: dict[Variable, tuple[int, int]] = {}
        self.live_until = {
            owner: number
            for number, item in enumerate(items)
            for variable in (*item.results, *item.reads)
            for owner in plan.aliases.of(variable)
        }
        self.given: dict[int, Variable] = {}
        self._lent: dict[Variable, int] = {}
        for number, item in enumerate(items):
            if isinstance(item, BlockLoop):
                self._place_loop(item, number)
            elif item.how == "write":
                over = [x for x in item.reads if _may_go_over(item, x)]
                self._place(item, over, item.reads, number)
            for variable in (*item.results, *item.reads):
                for owner in plan.aliases.of(variable):
                    if self.live_until[owner] == number and owner not in plan.held:
                        self._end(owner)

    @property
    def kept_sizes(self) -> dict[int, int]:
        """The bytes of each slot that is kept between calls."""
        return {i: n for i, n in enumerate(self.slots.sizes) if i not in self.given}

    def _end(self, owner: Variable) -> None:
        slot = self._lent.pop(owner, None)
        if slot is not None:
            self.slots.give_back(slot)

    def _place(
        self, step: Step, over: Sequence[Variable], reads: Sequence[Variable], number: int
    ) -> None:
        """Write at home, over one of the operands `over`, or in free memory.

        `reads` is all that the item reads.
        """
        result = step.result
        if result in self.plan.homes:
            whole, start = self.plan.homes[result]
            if whole not in self._lent:
                self._lend(whole, nbytes(whole))
            self.places[result] = self._lent[whole], start
            return
        x = self._ended(result, [x for x in over if x in self._lent], reads, number)
        if x is None:
            self._lend(result, nbytes(result))
        else:
            self._lent[result] = slot = self._lent.pop(x)
            self.places[result] = slot, 0

    def _lend(self, variable: Variable, size: int) -> None:
        self._lent[variable] = slot = self.slots.lend(size)
        self.places[variable] = slot, 0

    def _ended(
        self, result: Variable, over: Sequence[Variable], reads: Sequence[Variable], number: int
    ) -> Variable | None:
        """Return one of `over` like the result that nothing needs any more or sees otherwise."""
        for x in over:
            owned = x in self._lent or x in self._donated
            ended = self.live_until.get(x) == number and owned and x not in self.plan.held
            alike = x.shape == result.shape and x.dtype == result.dtype
            if ended and alike and all(v is x or x not in self.plan.aliases.of(v) for v in reads):
                return x
        return None

    def _give(
        self, result: Variable, over: Sequence[Variable], reads: Sequence[Variable], number: int
    ) -> None:
        """Leave a result in a donated input, or in memory of the program, which then loses it."""
        x = self._ended(result, [x for x in over if x in self._donated], reads, number)
        if x is not None:
            self._donated.remove(x)
            self.taken[result] = x
            return
        x = self._ended(result, over, reads, number)
        if x is not None and self.slots.sizes[self._lent[x]] == rounded(nbytes(result)):
            self.given[self._lent.pop(x)] = result

    def _place_loop(self, loop: BlockLoop, number: int) -> None:
        """Place whole arrays before blocks: memory that one block leaves serves the next."""
        reads = [v for step in loop.steps for v in step.reads]
        last = {v: i for i, step in enumerate(loop.steps) for v in (step.result, *step.reads)}
        whole = [v for v in dict.fromkeys(reads) if loop.is_cut(v) and v not in loop.inner]
        for i, step in enumerate(loop.steps):
            if step.result in loop.inner:
                continue
            over = [x for x in whole if last[x] < i or (last[x] == i and _may_go_over(step, x))]
            if step.how == "write":
                self._place(step, over, reads, number)
            else:
                self._give(step.result, over, reads, number)
        for i, step in enumerate(loop.steps):
            ended = [x for x in step.reads if last[x] == i and x in loop.inner]
            if step.result in loop.inner:
                over = next((x for x in ended if _may_go_over(step, x)), None)
                if over is None:
                    self._lend(step.result, nbytes(step.result) // loop.shape[0] * loop.rows)
                else:
                    self._lent[step.result] = slot = self._lent.pop(over)
                    self.places[step.result] = slot, 0
            for x in ended:
                self._end(x)


def _may_go_over(step: Step, x: Variable) -> bool:
    result = step.result
    alike = x.shape == result.shape and x.dtype == result.dtype
    return alike and step.form is not None and step.form.elementwise


def rounded(size: int) -> int:
    """Return a number of bytes rounded up to whole lines of a processor's cache."""
    return -(-size // _LINE) * _LINE


def aligned(size: int) -> np.ndarray:
    """Return new bytes that start with a line of the cache: NumPy writes these twice as fast."""
    memory = np.empty(size + _LINE, np.uint8)
    start = -memory.ctypes.data % _LINE
    return memory[start : start + size]


def straight(x: np.ndarray) -> np.ndarray:
    """Return an array that lies row by row: a large matrix that is turned over goes by strips.

    NumPy's own copy reads and writes a line of the cache once for each of its entries.
    """
    if not x.flags.f_contiguous or x.ndim != 2 or x.size < _LARGE:
        return np.ascontiguousarray(x)
    y = np.empty(x.shape, x.dtype)
    for start in range(0, x.shape[1], _STRIP):
        columns = slice(start, start + _STRIP)
        y[:, columns] = x[:, columns]
    return y


def is_free(x: np.ndarray, others: Iterable[Any]) -> bool:
    """Whether a donated array can be written into while the other inputs are read."""
    arrays = (y for y in others if isinstance(y, np.ndarray))
    whole = x.flags.writeable and x.flags.c_contiguous
    return whole and not any(np.may_share_memory(x, y) for y in arrays)


def nbytes(variable: Variable) -> int:
    """Return the bytes of an array, at least those of one entry."""
    size = getattr(variable.dtype, "itemsize", None)
    if size is None:
        size = np.dtype(str(variable.dtype).rpartition(".")[2]).itemsize
    return max(variable.size, 1) * size
