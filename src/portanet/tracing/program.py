"""Programs: what a function did with its arrays, as a straight list of operations."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

from portanet.tape.ops.card import Card
from portanet.tape.ops.form import Form


@dataclass(frozen=True, slots=True, eq=False)
class Variable:
    """An array of a program: an input or the result of one operation."""

    shape: tuple[int, ...]
    dtype: Any

    @property
    def size(self) -> int:
        size = 1
        for n in self.shape:
            size *= n
        return size


class Opaque(Variable):
    """What is no array: a number, a key, or the results of one operation together."""

    __slots__ = ()

    def __init__(self) -> None:
        super().__init__((), None)


@dataclass(frozen=True, slots=True, eq=False)
class Operation:
    """One call of a primitive.

    Parameters
    ----------
    primitive : Primitive
    args : sequence
        Variables, constant arrays and static values, by position; also within tuples and lists.
    options : dict
        The same, by keyword.
    result : Variable
    seen : tuple of Variable
        The arguments at whose memory the result may look.
    samples : tuple
        What the arguments of a `Compound` were when it was recorded.
    """

    primitive: Any
    args: Sequence[Any]
    options: dict[str, Any]
    result: Variable
    seen: tuple[Any, ...] = ()
    samples: tuple[Any, ...] = ()

    @property
    def name(self) -> str:
        """What messages and sources call it."""
        return self.primitive.name

    @property
    def card(self) -> Card:
        """What is known of it."""
        return self.primitive.card

    @property
    def operands(self) -> list[Variable]:
        """The variables among the arguments."""
        return [*variables(self.args), *variables(tuple(self.options.values()))]

    def reading(self, values: Mapping[Variable, Any]) -> Operation:
        """Return the operation on `values` in the place of the variables that have one."""

        def now(x: Any) -> Any:
            return resolved(values, x)

        args = [replaced(now, x) for x in self.args]
        options = {k: replaced(now, x) for k, x in self.options.items()}
        seen = tuple(variables(tuple(map(now, self.seen))))
        return replace(self, args=args, options=options, seen=seen)


def variables(x: Any) -> Iterator[Variable]:
    """Yield the variables in a value, within tuples and lists too."""
    if isinstance(x, Variable):
        yield x
    elif isinstance(x, tuple | list):
        for part in x:
            yield from variables(part)


def resolved(values: Mapping[Variable, Any], x: Any) -> Any:
    """Return the value of a variable that has one, anything else as it is."""
    return values.get(x, x) if isinstance(x, Variable) else x


def replaced(function: Callable[[Any], Any], x: Any) -> Any:
    """Apply a function to a value, or to each part of a tuple or list that it changes."""
    if type(x) not in (tuple, list):
        return function(x)
    parts = [replaced(function, part) for part in x]
    if all(new is old for new, old in zip(parts, x, strict=True)):
        return x
    return type(x)(parts)


@dataclass(frozen=True, slots=True)
class HostFunction:
    """A function of host values, and the text in which a replay calls it."""

    name: str
    compute: Callable[..., Any]
    text: str
    card: ClassVar[Card] = Card(
        "host function", numpy=lambda call, *args, **options: Form(fresh=call.primitive.text)
    )


class Inner:
    """A part of a program with a source of its own, such as a loop."""

    source: Any = None
    """The `Source`, once it is written."""


@dataclass(slots=True)
class Program:
    """A recorded function of arrays.

    Parameters
    ----------
    inputs : list of Variable
    operations : list of Operation
        In an order in which each one's operands come before it.
    outputs : list
        Variables, and constant arrays where an output does not depend on the inputs.
    """

    inputs: list[Variable]
    operations: list[Operation] = field(default_factory=list)
    outputs: list[Any] = field(default_factory=list)

    @property
    def made(self) -> dict[Variable, Operation]:
        """For each result the operation that it is of."""
        return {operation.result: operation for operation in self.operations}

    @property
    def uses(self) -> Counter[Variable]:
        """How often each variable is read, or is an output."""
        uses = Counter(v for operation in self.operations for v in operation.operands)
        uses.update(y for y in self.outputs if isinstance(y, Variable))
        return uses


@dataclass(eq=False)
class Routine(Inner):
    """A program that is called from another one, and gives its outputs in new memory.

    Parameters
    ----------
    program : Program
    backend : Backend
    """

    program: Program
    backend: Any
