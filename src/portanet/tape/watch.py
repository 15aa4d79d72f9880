"""Finding out who writes into an array that a pullback still needs."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any

from portanet.errors import TracedValueError
from portanet.tape.box import Box, strip
from portanet.tape.trace import ReverseTrace, reverse_trace


class WatchedTrace(ReverseTrace):
    """A trace that copies every array it records, and compares before it walks backwards."""

    __slots__ = ("copies",)

    def __init__(self) -> None:
        super().__init__()
        self.copies: list[list[Any]] = []

    def note(self, *record: Any) -> Any:
        xp = record[0].xp.raw
        self.copies.append([xp.asarray(x, copy=True) for x in _arrays(record)])
        return super().note(*record)

    def pull(self, seeds: Sequence[tuple[Any, Any]], roots: Sequence[Any]) -> list[Any]:
        for record, copies in zip(self.calls, self.copies, strict=True):
            for x, copy in zip(_arrays(record), copies, strict=True):
                if not _same(record[0].xp.raw, x, copy):
                    raise TracedValueError(
                        f"an array of shape {tuple(x.shape)} and dtype {x.dtype} was written into "
                        f"after {record[0].name} had used it: its derivative would be wrong. "
                        "Write into a copy, or call the pullback first"
                    )
        return super().pull(seeds, roots)


def _arrays(record: Sequence[Any]) -> list[Any]:
    plain = [x for x in map(strip, (record[1], *record[2])) if not isinstance(x, Box)]
    return [x for x in plain if hasattr(x, "shape") and hasattr(x, "dtype")]


def _same(xp: Any, x: Any, copy: Any) -> bool:
    return bool(xp.all((x == copy) | ((x != x) & (copy != copy))))


@contextlib.contextmanager
def detect_mutation() -> Iterator[None]:
    """Watch every array that reverse mode records on the tape: a help in the search for a fault.

    NumPy lets anyone write into an array that a derivative still needs, and the derivative is
    wrong without a word. Inside this context every recorded array is copied and compared before
    it is used, which costs memory and time; outside of it nothing is. Torch finds such writes by
    itself, always; arrays of JAX cannot be written into.

    Raises
    ------
    TracedValueError
        By the pullback or the gradient, naming the function that had used the array.

    Examples
    --------
    >>> import numpy as np
    >>> import portanet as pn
    >>> buffer = np.ones(2)
    >>> with pn.detect_mutation():
    ...     value, pullback = pn.vjp(lambda x: x * buffer, np.ones(2))
    >>> buffer[:] = 5.0
    >>> pullback(np.ones(2))
    Traceback (most recent call last):
        ...
    portanet.errors.TracedValueError: an array of shape (2,) and dtype float64 was written into ...
    """
    token = reverse_trace.set(WatchedTrace)
    try:
        yield
    finally:
        reverse_trace.reset(token)
