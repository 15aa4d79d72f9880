"""Batches: one run of a function for many inputs at once, along a leading axis that it never sees.

`BatchTrace` is the third kind of trace. Its boxes hold arrays whose first axis is the batch, and
show the shape of one entry, so that functions and derivative rules written for one entry work
unchanged. What a primitive does with such arrays is said by the tables of `tape.batching`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from portanet.tape import batching
from portanet.tape.box import Box
from portanet.tape.lifted import Lifted
from portanet.tape.trace import Trace, run


class Batched(Lifted):
    """The half of a box class that makes an array with a batch axis look like one entry."""

    __slots__ = ()

    no_condition = (
        "a batched condition has no single answer: choose entry by entry with "
        "xp.where(condition, a, b) instead of if, and, or, while"
    )
    no_value = (
        "a batched array has no single value here: float(), int(), item(), tolist() and "
        "conversion to another library cannot be done for a whole batch at once. Keep it an "
        "array; to look up entries of an array by a batched index use xp.take"
    )

    @property
    def shape(self) -> tuple[int, ...]:
        return self.value.shape[1:]

    @property
    def ndim(self) -> int:
        return self.value.ndim - 1

    @property
    def size(self) -> int:
        return math.prod(self.shape)

    def entry(self, plain: Any) -> Any:
        if plain.shape[0]:
            return plain[0, ...] if plain.ndim > 1 else plain[0]
        return self.xp.raw.zeros(plain.shape[1:], dtype=plain.dtype)

    def __len__(self) -> int:
        if self.ndim == 0:
            raise TypeError("len() of a 0-d array")
        return self.shape[0]

    def __repr__(self) -> str:
        return f"Batched(shape={self.shape}, batch={self.value.shape[0]}, dtype={self.dtype})"

    __str__ = __repr__


class BatchTrace(Trace):
    """Run every call for all entries of a batch.

    Parameters
    ----------
    size : int
        The number of entries.
    """

    __slots__ = ("size",)

    def __init__(self, size: int) -> None:
        super().__init__()
        self.size = size

    def owns(self, x: Any) -> bool:
        """Whether `x` is an array of this batch."""
        return isinstance(x, Box) and x.owner is self

    def process(self, primitive: Any, args: Sequence[Any], kwargs: dict[str, Any]) -> Any:
        batched = [isinstance(x, Box) and x.owner is self for x in args]
        values = [x.value if own else x for x, own in zip(args, batched, strict=True)]
        result = batching.rule_of(primitive)(self, primitive, values, batched, kwargs)
        if type(result) is batching.Finished:
            return result.value
        xp = primitive.xp
        if primitive.box is not xp.box:
            return primitive.box(result, self, None)
        if type(result) is tuple:
            return tuple(xp.batch_box(part, self, None) for part in result)
        return xp.batch_box(result, self, None)


def vmap(
    function: Callable[..., Sequence[Any]],
    arrays: Sequence[Any],
    axes: Sequence[int | None],
    xp: Any,
) -> list[Any]:
    """Run `function` once for all entries of `arrays` along `axes`.

    Parameters
    ----------
    function : callable
        Takes arrays, returns a sequence of arrays and None.
    arrays : sequence of arrays
    axes : sequence of int or None
        The batch axis of each array, of one length for all; None gives the whole array to every
        entry. At least one is not None.
    xp : Namespace

    Returns
    -------
    list
        The outputs, the batch axis first. None stays None.
    """
    size = next(x.shape[a] for x, a in zip(arrays, axes, strict=True) if a is not None)
    trace = BatchTrace(size)
    inputs = [
        x if axis is None else xp.batch_box(xp.moveaxis(x, axis, 0) if axis else x, trace, None)
        for x, axis in zip(arrays, axes, strict=True)
    ]
    return [
        y.value if trace.owns(y) else y if y is None else batching.copies(xp, y, size)
        for y in run(function, inputs)
    ]
