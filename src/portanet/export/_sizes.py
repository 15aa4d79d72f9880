"""Programs for batches of every size, made of what was recorded for some.

What differs between recordings of one function for batches of several sizes is how long something
is: a number in a shape or an index, or a constant that has so many rows. Two recordings make each
a linear function of the size, which a third one must bear out.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from portanet.errors import ArgumentError
from portanet.tracing.compound import Compound
from portanet.tracing.loops.loop import Loop
from portanet.tracing.program import Operation, Program, Variable


@dataclass(frozen=True)
class Size:
    """The number ``factor * n + offset``, where n is the size of the batch."""

    factor: int
    offset: int

    def __call__(self, n: Any) -> Any:
        """Return the number for a batch of `n` rows."""
        scaled = n if self.factor == 1 else self.factor * n
        return scaled + self.offset if self.offset else scaled

    def __str__(self) -> str:
        if not self.offset:
            return "n" if self.factor == 1 else f"{self.factor} * n"
        sign = "-" if self.offset < 0 else "+"
        return f"{Size(self.factor, 0)} {sign} {abs(self.offset)}"


@dataclass(frozen=True, eq=False)
class Repeated:
    """A constant that has the same entries however long it is.

    Parameters
    ----------
    array : array
        With one entry along the axes whose length varies.
    shape : tuple
        The whole shape, with a `Size` for each of these.
    """

    array: np.ndarray
    shape: tuple[Any, ...]


@dataclass(frozen=True, eq=False)
class Counted:
    """Integers that grow by the same step from one entry along an axis to the next.

    Parameters
    ----------
    start, step : array
        The first entries along the axis, which has the length 1, and the steps from each on.
    axis : int
    size : Size
        How many entries there are along the axis.
    """

    start: np.ndarray
    step: np.ndarray
    axis: int
    size: Size

    @property
    def places(self) -> tuple[Any, ...]:
        """The shape of the numbers of the entries along the axis."""
        return tuple(self.size if i == self.axis else 1 for i in range(self.start.ndim))


class _Differs(Exception):
    pass


def for_all_sizes(programs: Sequence[Program], sizes: Sequence[int]) -> Program:
    """Return the program that several are, each for its size of a batch.

    Raises
    ------
    ArgumentError
        Where they differ in more than lengths.
    """
    try:
        return _joined(programs, sizes)
    except _Differs as error:
        raise ArgumentError(
            f"the function does not do the same for every size of a batch: {error}. Models are "
            "exported with the states of pn.test_mode(st); batch_axis=None exports for the shapes "
            "of the examples alone"
        ) from None


def _joined(programs: Sequence[Program], sizes: Sequence[int]) -> Program:
    if len({tuple(op.name for op in each.operations) for each in programs}) > 1:
        raise _Differs(f"for {' and '.join(map(str, sizes))} rows it takes different operations")
    first = programs[0]
    join = _Join(sizes)
    join.pair([each.inputs for each in programs])
    operations = []
    for calls in zip(*(each.operations for each in programs), strict=True):
        operations.append(join.operation(calls))
        join.pair([[call.result] for call in calls])
    outputs = [join(*values) for values in zip(*(each.outputs for each in programs), strict=True)]
    return Program(first.inputs, operations, outputs)


class _Join:
    """What values are together that stand in one place of several programs."""

    def __init__(self, sizes: Sequence[int]) -> None:
        self.sizes = sizes
        self.same: dict[Variable, tuple[Variable, ...]] = {}

    def pair(self, groups: Sequence[Sequence[Variable]]) -> None:
        """Note which variables of the programs are the same."""
        self.same.update((column[0], column) for column in zip(*groups, strict=True))

    def operation(self, calls: Sequence[Operation]) -> Operation:
        first = calls[0]
        if any(c.options.keys() != first.options.keys() for c in calls):
            raise _Differs(f"{first.name} is called in several ways")
        args = self([*first.args], *([*c.args] for c in calls[1:]))
        options = {k: self(*(c.options[k] for c in calls)) for k in first.options}
        primitive = first.primitive
        if isinstance(primitive, Compound):
            primitive = self._compound([c.primitive for c in calls])
        return replace(first, primitive=primitive, args=args, options=options)

    def _compound(self, compounds: Sequence[Any]) -> Any:
        first = compounds[0]
        if isinstance(first, Loop) and len({each.length for each in compounds}) > 1:
            raise _Differs("a loop takes as many steps as there are rows")
        columns = zip(*(each.programs for each in compounds), strict=True)
        following = iter([_joined(programs, self.sizes) for programs in columns])
        return first.mapped(lambda _: next(following))

    def __call__(self, *values: Any) -> Any:
        first = values[0]
        if isinstance(first, Variable):
            if self.same.get(first) != values:
                raise _Differs("an operation reads another result")
            return first
        if len(set(map(type, values))) > 1:
            raise _Differs(f"there is {' or '.join(type(x).__name__ for x in values)} in one place")
        if type(first) in (tuple, list):
            if len(set(map(len, values))) > 1:
                raise _Differs("shapes have different numbers of axes")
            return type(first)(self(*column) for column in zip(*values, strict=True))
        if isinstance(first, slice):
            return slice(*(self(*column) for column in zip(*map(_ends, values), strict=True)))
        if isinstance(first, np.ndarray):
            return self._arrays(values)
        if all(_same(first, x) for x in values[1:]):
            return first
        if type(first) is int:
            return self._size(values)
        raise _Differs(f"for {self._rows()} a number is {_listed(values)}")

    def _size(self, values: Sequence[int]) -> Size:
        (n, m), (a, b) = self.sizes[:2], values[:2]
        factor = (b - a) // (m - n)
        size = Size(factor, a - factor * n)
        if any(size(n) != x for n, x in zip(self.sizes, values, strict=True)):
            raise _Differs(f"for {self._rows()} a length is {_listed(values)}")
        return size

    def _arrays(self, arrays: Sequence[np.ndarray]) -> Any:
        a = arrays[0]
        if len({(x.dtype, x.ndim) for x in arrays}) > 1:
            raise _Differs("a constant has another dtype or rank")
        if all(_same(a, x) for x in arrays):
            return a
        shape = self(*(x.shape for x in arrays))
        varying = [i for i, size in enumerate(shape) if isinstance(size, Size)]
        first = _first(a, varying)
        if varying and all(_same(x, np.broadcast_to(first, x.shape)) for x in arrays):
            return Repeated(first, shape)
        if len(varying) == 1 and a.dtype.kind in "iu" and a.shape[varying[0]] > 1:
            (axis,) = varying
            step = np.diff(a, axis=axis).take([0], axis=axis)
            if all(_same(x, _counted(first, step, axis, x.shape[axis])) for x in arrays):
                return Counted(first, step, axis, shape[axis])
        raise _Differs(
            f"for {self._rows()} a constant has shape {_listed(x.shape for x in arrays)}, and "
            "entries of no pattern that is known"
        )

    def _rows(self) -> str:
        return f"{_listed(self.sizes)} rows"


def _listed(values: Iterable[Any]) -> str:
    return ", ".join(map(str, values))


def _ends(x: slice) -> tuple[Any, Any, Any]:
    return x.start, x.stop, x.step


def _first(x: np.ndarray, axes: Sequence[int]) -> np.ndarray:
    return x[tuple(slice(1) if i in axes else slice(None) for i in range(x.ndim))]


def _counted(start: np.ndarray, step: np.ndarray, axis: int, size: int) -> np.ndarray:
    shape = [size if i == axis else 1 for i in range(start.ndim)]
    return start + step * np.arange(size, dtype=start.dtype).reshape(shape)


def _same(a: Any, b: Any) -> bool:
    """Whether two static values are one; not a number is itself."""
    if isinstance(a, np.ndarray | np.generic):
        x, y = np.asarray(a), np.asarray(b)
        return x.dtype == y.dtype and x.shape == y.shape and x.tobytes() == y.tobytes()
    if isinstance(a, float | complex):
        return repr(a) == repr(b)
    return a is b or a == b
