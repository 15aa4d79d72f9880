"""Loops over blocks of rows: what lies between operations on large arrays stays in the cache."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from portanet.tracing.plan.steps import Plan, Step
from portanet.tracing.program import Variable

# Bytes of an array from which on a loop pays: a chain of five on 256 kB takes 53 µs at once and 58
# in two blocks, on 1 MB 216 either way.
_LARGE = 1 << 19
# Bytes of a block, several of which stay in the caches: a chain of eight on 4 MB takes 1421, 1424,
# 1126, 1097 and 970 µs with 2**15 to 2**19, and holds the more memory the larger they are.
_BLOCK = 1 << 18


@dataclass(slots=True, eq=False)
class BlockLoop:
    """Steps that run together, block by block along the first axis.

    Attributes
    ----------
    steps : list of Step
    shape : tuple of int
        The one to which the shapes of all results broadcast.
    rows : int
        The rows of a block; the last one may have fewer.
    inner : set of Variable
        Results of which only a block exists at a time.
    """

    steps: list[Step]
    shape: tuple[int, ...]
    rows: int
    inner: set[Variable]

    @property
    def reads(self) -> list[Variable]:
        """The variables from before that the loop reads."""
        own = self.own
        return [v for step in self.steps for v in step.reads if v not in own]

    @property
    def results(self) -> list[Variable]:
        """The variables that are read after the loop."""
        return [step.result for step in self.steps if step.result not in self.inner]

    @property
    def own(self) -> set[Variable]:
        """The variables that the loop computes."""
        return {step.result for step in self.steps}

    def is_cut(self, array: Variable | np.ndarray) -> bool:
        """Whether a step of the loop takes only the rows of its block from an array."""
        shape = array.shape
        return len(shape) == len(self.shape) and shape[0] == self.shape[0]

    def slices(self) -> list[slice]:
        size = self.shape[0]
        return [slice(i, min(i + self.rows, size)) for i in range(0, size, self.rows)]


def in_loops(plan: Plan) -> list[Step | BlockLoop]:
    """Return the steps of a plan with those that run in blocks together."""
    if not any(_is_large(step) for step in plan.steps):
        return list(plan.steps)
    readers = Counter(v for step in plan.steps for v in set(step.reads))
    items: list[Step | BlockLoop] = []
    group: list[Step] = []
    shape: tuple[int, ...] = ()
    made: set[Variable] = set()
    for step in plan.steps:
        wider = _wider(step, shape) if group or _is_large(step) else None
        if wider is not None:
            group.append(step)
            shape = wider
            made.add(step.result)
        elif group and _may_go_ahead(step, made):
            items.append(step)
        else:
            items += _closed(group, shape, plan, readers)
            group, shape, made = [], (), set()
            starts = _is_large(step) and _wider(step, ())
            if starts:
                group, shape, made = [step], starts, {step.result}
            else:
                items.append(step)
    return [*items, *_closed(group, shape, plan, readers)]


def _is_large(step: Step) -> bool:
    """Whether a step works row by row on large arrays."""
    if step.form is None or not step.form.rows or step.how not in ("write", "fresh"):
        return False
    arrays = [v for v in (step.result, *step.reads) if v.dtype is not None]
    return max(v.size * np.dtype(v.dtype).itemsize for v in arrays) >= _LARGE


def _wider(step: Step, shape: tuple[int, ...]) -> tuple[int, ...] | None:
    """Return the shape to which those of a loop and of one more step broadcast.

    None if the step cannot join: each axis but the first has one length in all arrays, or 1.
    """
    if step.form is None or not step.form.rows or step.how not in ("write", "fresh"):
        return None
    size = step.result.shape[:1]
    if not size or size[0] < 2 or (shape and size != shape[:1]):
        return None
    for variable in (step.result, *step.reads):
        if len(variable.shape) < len(step.result.shape):
            continue
        if shape and len(variable.shape) != len(shape):
            return None
        pairs = list(zip(shape or variable.shape, variable.shape, strict=True))
        if any(a != b and 1 not in (a, b) for a, b in pairs):
            return None
        shape = tuple(max(a, b) if 0 not in (a, b) else 0 for a, b in pairs)
    return shape


def _may_go_ahead(step: Step, made: set[Variable]) -> bool:
    """Whether a step between those of a loop may run before all of them."""
    if made.intersection(step.reads):
        return False
    return step.how in ("view", "look") or step.result.dtype is None or step.result.size <= 1


def _closed(
    group: Sequence[Step], shape: tuple[int, ...], plan: Plan, readers: Counter[Variable]
) -> Iterator[Step | BlockLoop]:
    """Yield a loop over the steps, or themselves if that would gain nothing."""
    widest = max((np.dtype(step.result.dtype).itemsize for step in group), default=1)
    rows = max(1, _BLOCK // (widest * max(1, math.prod(shape[1:]))))
    if len(group) < 2 or rows >= shape[0]:
        yield from group
        return
    inside = Counter(v for step in group for v in set(step.reads))
    inner = {
        step.result
        for step in group
        if step.how == "write"
        and readers[step.result] == inside[step.result]
        and step.result not in plan.held
        and step.result not in plan.homes
    }
    yield BlockLoop(list(group), shape, rows, inner)
