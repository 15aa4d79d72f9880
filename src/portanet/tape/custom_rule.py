"""The rule of one call of an operation that has derivatives of its own.

The recorded call gives a `Bundle` of its results and of what its derivative keeps. What is kept is
a result like any other to the traces further out, so the rule itself can be differentiated.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

from portanet.errors import TracedValueError
from portanet.tape.box import Box, strip, taken_out
from portanet.tape.rule import Rule
from portanet.tape.trace import jvp, vjp

Arrays = Sequence[Any]


@dataclass(frozen=True)
class Operation:
    """A function of floating-point arrays whose derivatives are given, not derived.

    Attributes
    ----------
    name : str
    function : callable
        ``function(*arrays)`` returns a list of arrays: the value where nothing is differentiated.
    forward : callable
        ``forward(*arrays)`` returns such a list and a list of arrays to keep for the derivatives.
    vjp : callable
        ``vjp(arrays, outputs, kept, cotangents)`` returns one cotangent for each of `arrays`.
        None is zero, coming in and going out.
    jvp : callable
        ``jvp(arrays, outputs, kept, tangents)`` returns one tangent for each of `outputs`.
    """

    name: str
    function: Callable[..., list[Any]]
    forward: Callable[..., tuple[list[Any], list[Any]]]
    vjp: Callable[[Arrays, Arrays, Arrays, list[Any]], list[Any]]
    jvp: Callable[[Arrays, Arrays, Arrays, list[Any]], list[Any]]

    def refuse_captured(self) -> NoReturn:
        """Raise for an array that is being differentiated and is no argument."""
        raise TracedValueError(
            f"{self.name}: its body or its rule uses an array that is being differentiated but is "
            "not among its positional arguments, so that its derivative is lost: pass it as one"
        )


class Kept:
    """Where to find what an operation keeps: among its arguments, its outputs, or beside them.

    An argument or output that is kept stays that argument or output, with all its derivatives.
    """

    __slots__ = ("beside", "places")

    def __init__(self, arrays: Arrays, outputs: Arrays, kept: Arrays) -> None:
        self.beside: list[Any] = []
        self.places: list[tuple[int, int]] = []
        known = {id(y): (1, i) for i, y in enumerate(outputs)}
        known.update({id(x): (0, i) for i, x in enumerate(arrays)})
        for x in kept:
            if id(x) not in known:
                known[id(x)] = 2, len(self.beside)
                self.beside.append(x)
            self.places.append(known[id(x)])

    def find(self, arrays: Arrays, outputs: Arrays, beside: Arrays) -> list[Any]:
        groups = arrays, outputs, beside
        return [groups[group][i] for group, i in self.places]


def boxes(x: Any) -> Iterator[Box]:
    """Return the boxes around an array, the outermost first."""
    while isinstance(x, Box):
        yield x
        x = x.value


def traces(x: Any) -> Iterator[Any]:
    """Return the traces that an array is in, from the innermost one."""
    return (box.owner for box in boxes(x))


def is_traced(x: Any) -> bool:
    """Whether an array is being differentiated, not just batched."""
    return strip(x) is not x


class CustomRule(Rule):
    """The rule of one call of an operation. The result is a tuple: outputs, then what is kept."""

    def __init__(self, operation: Operation) -> None:
        self.operation = operation
        self.count = 0
        self.kept: Any = None

    def compute(self, *arrays: Any) -> tuple[Any, ...]:
        outputs, kept = taken_out(list(self.operation.forward(*arrays)))
        if any(map(is_traced, (*outputs, *kept))):
            self.operation.refuse_captured()
        self.count = len(outputs)
        self.kept = Kept(arrays, outputs, kept)
        return (*outputs, *self.kept.beside)

    def vjp(self, primitive, cotangent, result, args, kwargs, argnums):
        xp, count = primitive.xp, self.count
        totals: list[Any] = [None] * len(args)
        given = [cotangent.parts.get(i) for i in range(count + len(self.kept.beside))]
        if any(g is not None for g in given[:count]):
            context = self._context(xp, result, args)
            totals = list(self.operation.vjp(*context, given[:count]))
            self._check_captured(totals, *context, given)
        if any(g is not None for g in given[count:]):
            _, pull = vjp(self._beside, args, lambda _: xp.box)
            pairs = zip(totals, pull(given[count:]), strict=True)
            totals = [b if a is None else a if b is None else a + b for a, b in pairs]
        return [xp.zeros_like(args[i]) if totals[i] is None else totals[i] for i in argnums]

    def jvp(self, primitive, tangents, result, args, kwargs, argnums):
        given: list[Any] = [None] * len(args)
        for i, tangent in zip(argnums, tangents, strict=True):
            given[i] = tangent
        context = self._context(primitive.xp, result, args)
        parts = list(self.operation.jvp(*context, given))
        self._check_captured(parts, *context, given)
        return _Tangents(self, primitive.xp, args, given, result, parts)

    def tangents_beside(self, xp: Any, args: Arrays, tangents: Arrays) -> list[Any]:
        """Return the tangents of what is kept, by forward mode through `forward`."""
        pairs = zip(args, tangents, strict=True)
        directions = [xp.zeros_like(x) if t is None else t for x, t in pairs]
        return jvp(self._beside, args, directions, lambda _: xp.box)[1]

    def _beside(self, *arrays: Any) -> list[Any]:
        outputs, kept = taken_out(list(self.operation.forward(*arrays)))
        return Kept(arrays, outputs, kept).beside

    def _context(self, xp: Any, result: Any, args: Arrays) -> tuple[Arrays, list[Any], list[Any]]:
        parts = [xp.part(result, i) for i in range(len(strip(result)))]
        outputs, beside = parts[: self.count], parts[self.count :]
        return args, outputs, self.kept.find(args, outputs, beside)

    def _check_captured(self, results: Iterable[Any], *inputs: Iterable[Any]) -> None:
        """Refuse a derivative that depends on a trace which none of the inputs is in."""
        known = {trace for group in inputs for x in group for trace in traces(x)}
        if any(not box.lifted and box.owner not in known for x in results for box in boxes(x)):
            self.operation.refuse_captured()


class _Tangents:
    """The tangents of an operation's results; those of what it keeps only if they are needed."""

    __slots__ = ("arguments", "parts", "result", "rule", "xp")

    def __init__(
        self, rule: CustomRule, xp: Any, args: Arrays, given: Arrays, result: Any, parts: list[Any]
    ) -> None:
        self.rule = rule
        self.xp = xp
        self.arguments = args, given
        self.result = result
        self.parts = parts

    def __getitem__(self, i: int) -> Any:
        if i >= len(self.parts):
            self.parts = self.parts + self.rule.tangents_beside(self.xp, *self.arguments)
        part = self.parts[i]
        return self.xp.zeros_like(self.xp.part(self.result, i)) if part is None else part
