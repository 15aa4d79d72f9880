"""Batches: one run of a function for many inputs at once, along a leading axis that it never sees.

`BatchTrace` is the third kind of trace. Its boxes hold arrays whose first axis is the batch, and
show the shape of one entry, so that functions and derivative rules written for one entry work
unchanged. What a primitive does with such arrays is said by its card.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from portanet.tape.box import Box
from portanet.tape.ops.batching import Finished, copies
from portanet.tape.trace import Trace, entering, run, settle_all
from portanet.tape.writing import fresh


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
        if primitive.shows:
            settle_all(args)
        batched = [isinstance(x, Box) and x.owner is self for x in args]
        values = [x.value if own else x for x, own in zip(args, batched, strict=True)]
        result = primitive.card.batched(self, primitive, values, batched, kwargs)
        if type(result) is Finished:
            return result.value
        xp = primitive.xp
        if primitive.box is not xp.box:
            return primitive.box(result, self, None)
        kind = xp.batch_box if primitive.shows else fresh(xp.batch_box)
        if type(result) is tuple:
            return tuple(kind(part, self, None) for part in result)
        return kind(result, self, None)

    def process_compound(self, compound: Any, args: Sequence[Any]) -> list[Any]:
        return compound.run_batched(self, args)


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
    arrays = entering(arrays)
    size = next(x.shape[a] for x, a in zip(arrays, axes, strict=True) if a is not None)
    trace = BatchTrace(size)
    inputs = [
        x if axis is None else xp.batch_box(xp.moveaxis(x, axis, 0) if axis else x, trace, None)
        for x, axis in zip(arrays, axes, strict=True)
    ]
    return [
        y.value if trace.owns(y) else y if y is None else copies(xp, y, size)
        for y in run(function, inputs)
    ]
