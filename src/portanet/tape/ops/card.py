"""Cards: all that is known of one operation, for whoever derives, batches, records or writes it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from functools import cached_property
from typing import Any

from portanet.tape.ops.batching import Batching, elementwise, loop
from portanet.tape.ops.form import FormOf, Ufunc
from portanet.tape.ops.words import Fold, Words
from portanet.tape.rule import Elementwise, Rule

UNKNOWN = Rule()
"""The derivative of an operation that has none: it refuses by name in both modes."""


class Role(Enum):
    """What an operation is to the passes that rewrite programs by algebra."""

    ADDITION = "the sum of its two operands, entry by entry"
    PRODUCT = "the product of matrices, of its two operands"
    TRANSPOSE = "the last two axes turned over; with axes, only where these are (1, 0)"
    SUM = "the sum over an option `axis`, of all elements without"
    JOIN = "its operands one behind the other along an option `axis`"
    PART = "one of the results of an operation that has several"


@dataclass(frozen=True, eq=False)
class Card:
    """What is known of one operation. An entry that is not given is declined.

    A trait is data, and holds for arrays of every shape, dtype and layout; the tests prove each
    against the function itself.

    Parameters
    ----------
    name : str
        What messages and sources call it. It identifies nothing: the card itself does.
    rule : Rule
        Its derivative. Without one it refuses to be differentiated.
    batching : callable, optional
        How it runs on a whole batch, as `portanet.tape.ops.batching` describes. Without one an
        elementwise function keeps the batch axis in front, and any other runs entry by entry.
    numpy : str or callable, optional
        How NumPy computes it: the name of a universal function, or what makes a `Form` of a
        recorded call. Without one only its own function does.
    words : str or Words, optional
        C++ for one element, which fused kernels are made of; a text is for floating-point numbers.
        Without words it is never fused.
    fold : Fold, optional
        C++ for two partial results of a reduction, by which fused kernels reduce rows.
    body : callable, optional
        The function in the words of a namespace, where the libraries have none of this name.
    fresh : bool or callable
        Whether its result is always in new memory, as that of a universal function is;
        ``fresh(args)`` where arguments decide. Any other may look at the memory of all operands.
    view : bool
        Whether it only shows its first operand, all of it, in another shape.
    rearranged : bool
        Whether its result has each element of its first operand once.
    identity : bool
        Whether its result is its first operand wherever it has the shape and dtype of that one.
    neutral : tuple of int
        The operands that change nothing where they are the real number 1.
    of_shape : bool
        Whether only the shape and dtype of its operand matter.
    of_values : bool or callable
        Whether the shape of its result depends on values. Where arguments decide,
        ``of_values(args)``, with None in the place of those that are the same in every call, says
        what to call such a call; nothing if it is none.
    role : Role, optional
    """

    name: str
    rule: Rule = UNKNOWN
    batching: Batching | None = None
    numpy: str | FormOf | None = None
    words: Words | str | None = None
    fold: Fold | None = None
    body: Callable[..., Any] | None = None
    fresh: bool | Callable[[Sequence[Any]], bool] = False
    view: bool = False
    rearranged: bool = False
    identity: bool = False
    neutral: tuple[int, ...] = ()
    of_shape: bool = False
    of_values: bool | Callable[[Sequence[Any]], str] = False
    role: Role | None = None

    @cached_property
    def batched(self) -> Batching:
        """The batching rule in force."""
        if self.batching is not None:
            return self.batching
        return elementwise if isinstance(self.rule, Elementwise) else loop

    @cached_property
    def form(self) -> FormOf | None:
        """What makes the form of a recorded call; None if there never is one."""
        return Ufunc(self.numpy) if isinstance(self.numpy, str) else self.numpy

    @cached_property
    def spoken(self) -> Words | None:
        """The words in force."""
        return Words(self.words) if isinstance(self.words, str) else self.words

    def is_fresh(self, args: Sequence[Any]) -> bool:
        """Whether the result of a call on NumPy's arrays is in new memory, however these lie."""
        if isinstance(self.numpy, str):
            return True
        return self.fresh(args) if callable(self.fresh) else self.fresh

    def unsized(self, args: Sequence[Any]) -> str:
        """Return what to call a call whose result has a shape that depends on values, or ''."""
        if callable(self.of_values):
            return self.of_values(args)
        return self.name if self.of_values else ""
