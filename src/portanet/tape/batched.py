"""The boxes of a batch: arrays whose first axis is never seen."""

from __future__ import annotations

import math
from typing import Any

from portanet.tape.lifted import Lifted


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
