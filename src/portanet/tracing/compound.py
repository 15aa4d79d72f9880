"""Operations that are made of programs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ClassVar

from portanet.tape.box import Box
from portanet.tape.ops.card import Card
from portanet.tape.trace import settle_all
from portanet.tracing.program import Inner, Program
from portanet.tracing.record.host import RecordedKey, RecordedNumber


class Compound(Inner):
    """An operation with several results that is made of programs: a loop or a branch.

    What a trace does with it, it does to the programs: their derivatives and batches are programs
    again, so that it has those of every order.

    Attributes
    ----------
    name : str
    xp : Namespace
        That of the arrays in its programs.
    """

    card: ClassVar[Card] = Card("compound operation")
    name: str
    xp: Any

    @property
    def compute(self) -> Callable[..., Any]:
        """The operation on plain arrays, as a replay names it."""
        return self

    def __call__(self, *operands: Any) -> tuple[Any, ...]:
        """Run the operation on plain arrays and keys."""
        raise NotImplementedError

    def bind(self, operands: Sequence[Any]) -> list[Any]:
        """Run the operation under the innermost trace among its operands, if any."""
        owners = [x.owner for x in operands if isinstance(x, Box | RecordedKey | RecordedNumber)]
        if not owners:
            return list(self(*operands))
        settle_all(operands)
        return max(owners, key=lambda trace: trace.level).process_compound(self, operands)

    def for_trace(self, trace: Any, operands: Sequence[Any]) -> tuple[Any, Sequence[Any]]:
        """Return the operation and its operands as a recording takes them."""
        return self, operands

    def sample(self, operands: Sequence[Any]) -> Sequence[Any]:
        """Return results that may stand for those of a call while it is recorded."""
        return self(*operands)

    def run_forward(self, trace: Any, args: Sequence[Any]) -> list[Any]:
        """Run the operation under a trace of forward mode."""
        raise NotImplementedError

    def run_reverse(self, trace: Any, args: Sequence[Any]) -> list[Any]:
        """Run the operation under a trace of reverse mode."""
        raise NotImplementedError

    def run_batched(self, trace: Any, args: Sequence[Any]) -> list[Any]:
        """Run the operation for all entries of a batch."""
        raise NotImplementedError

    @property
    def programs(self) -> list[Program]:
        """The programs that it is made of."""
        raise NotImplementedError

    def mapped(self, change: Callable[[Program], Program]) -> Compound:
        """Return the operation with its programs changed; their inputs and outputs stay."""
        raise NotImplementedError

    def pruned(self, wanted: set[int]) -> tuple[Compound, list[int], dict[int, int]]:
        """Return what computes the results `wanted` alone.

        Returns
        -------
        compound : Compound
        kept : list of int
            The operands that it takes.
        places : dict
            Where each result that is left has gone.
        """
        raise NotImplementedError
