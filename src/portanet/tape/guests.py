"""Guests: arrays of a traced namespace in which nothing is differentiated, batched or recorded.

A foreign library asks an array for its namespace and expects one answer of all arrays in a call.
A plain array beside a traced one has another. As a guest it has the same: a box whose trace is
above all others, so that it sees every call, takes the present values out and leaves the call to
the traces below. What is then still plain is a guest again.

A guest of its own memory may be written into, also with traced values: it holds them from then on.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from portanet.errors import TracedValueError
from portanet.tape.box import Box, taken_out
from portanet.tape.bundle import Bundle
from portanet.tape.lifted import Lifted
from portanet.tape.trace import Trace, call, settle_all
from portanet.tape.writing import fresh


class Guest(Lifted):
    """The half of a box class that shows the array inside, which can be looked at.

    Its note is the level of a trace that would have started when it was made.
    """

    __slots__ = ()

    guest = True

    def __bool__(self) -> bool:
        return bool(self.value)

    def __repr__(self) -> str:
        return f"Guest({self.value!r})"

    __str__ = __repr__

    def become(self, result: Any, what: str) -> None:
        value = taken_out(result)
        x = value
        while isinstance(x, Box):
            if x.owner.level > self.note:
                raise TracedValueError(
                    f"{what}: the array that is written into was made outside of the derivative, "
                    "batch or recording that the values are in, and would keep them when that is "
                    "over: make it inside, or return the values"
                )
            x = x.value
        self.value = value


def _reading(name: str) -> Callable[..., Any]:
    def method(self: Guest, *args: Any, **options: Any) -> Any:
        return getattr(self.value, name)(*args, **options)

    return method


for _name in (
    "__float__", "__int__", "__complex__", "__index__", "__array__", "__dlpack__",
    "__dlpack_device__", "item", "tolist",
):  # fmt: skip
    setattr(Guest, _name, _reading(_name))


class GuestTrace(Trace):
    """The innermost trace of all, which leaves every call to the others."""

    __slots__ = ()

    def __init__(self) -> None:
        self.level = math.inf
        self.asked = False

    def process(self, primitive: Any, args: Sequence[Any], kwargs: dict[str, Any]) -> Any:
        if primitive.shows:
            settle_all(args)
        values = [x.value if type(x) is Bundle and x.owner is self else taken_out(x) for x in args]
        options = {name: taken_out(x) for name, x in kwargs.items()}
        result = call(primitive, values, options)
        if primitive.box is Bundle:
            return result if isinstance(result, Bundle) else Bundle(result, self, None)
        return adopted(primitive.xp, result, own_memory=not primitive.shows)

    def process_compound(self, compound: Any, args: Sequence[Any]) -> list[Any]:
        return compound.bind([taken_out(x) for x in args])


GUESTS = GuestTrace()


def guest(xp: Any, x: Any, own_memory: bool = False) -> Any:
    """Return an array as a guest of a namespace; one of its own memory may be written into."""
    kind = xp.guest_box
    return (fresh(kind) if own_memory else kind)(x, GUESTS, Trace().level)


def adopted(xp: Any, x: Any, own_memory: bool = False) -> Any:
    """Return a result with its plain arrays as guests; traced ones are at home already."""
    if isinstance(x, tuple | list):
        parts = [adopted(xp, part, own_memory) for part in x]
        return getattr(type(x), "_make", type(x))(parts)
    if isinstance(x, Box) or not xp.is_plain(x):
        return x
    return guest(xp, x, own_memory)
