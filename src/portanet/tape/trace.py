"""Traces: what happens to a primitive when one of its arguments is being differentiated.

A trace has a level. Of several traces in one call the one with the highest level, the innermost,
takes the call, strips its own boxes and hands the rest to the traces below it. Levels come from
one counter that only grows, so a trace that starts later is always above those it is nested in,
whatever other threads do at the same time.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable, Sequence
from contextvars import ContextVar
from typing import Any, NoReturn

from portanet.errors import NoDerivativeError, TracedValueError
from portanet.tape.box import MAY_HOLD_GUESTS, Box, Key, settle, taken_out
from portanet.tape.scattered import Scattered, summed

_order = itertools.count(1)


class Captured(Exception):
    """The function uses an array from around it of an outer trace or of another library."""


_FIRST, _SECOND, _BOTH, _ALL = (0,), (1,), (0, 1), (0, 1, 2)


class Trace:
    """The base of the two modes."""

    __slots__ = ("asked", "level")

    keeps_rules = False
    """Whether operations with derivatives of their own are kept whole, for traces to come."""

    def __init__(self) -> None:
        self.level: float = next(_order)
        self.asked = False
        """Whether a foreign library has asked for the namespace: all is to be of it from then."""

    def process(self, primitive: Any, args: Sequence[Any], kwargs: dict[str, Any]) -> Any:
        """Run a primitive that has this trace's boxes among its arguments."""
        if primitive.shows:
            settle_all(args)
        values, argnums, notes = self.split(args)
        result = call(primitive, values, kwargs)
        note = self.note(primitive, result, values, kwargs, argnums, notes)
        return primitive.result(result, self, note)

    def process_compound(self, compound: Any, args: Sequence[Any]) -> list[Any]:
        """Run an operation that is made of programs, such as a loop; return its results."""
        raise NotImplementedError

    def note(
        self, primitive: Any, result: Any, values: Sequence[Any], kwargs: dict[str, Any],
        argnums: Sequence[int], notes: Sequence[Any],
    ) -> Any:  # fmt: skip
        """Return the note on the result of a primitive, whose arguments `argnums` have `notes`."""
        raise NotImplementedError

    def split(self, args: Sequence[Any]) -> tuple[Sequence[Any], Sequence[int], Sequence[Any]]:
        """Take this trace's boxes off: the values, which arguments had one, and their notes."""
        if len(args) == 1:
            x = args[0]
            return (x.value,), _FIRST, (x.note,)
        if len(args) == 2:
            x, y = args
            if not isinstance(y, Box):
                return (x.value, y), _FIRST, (x.note,)
            if y.owner is not self:
                settle(y)
                return (x.value, y), _FIRST, (x.note,)
            if not isinstance(x, Box):
                return (x, y.value), _SECOND, (y.note,)
            if x.owner is not self:
                settle(x)
                return (x, y.value), _SECOND, (y.note,)
            return (x.value, y.value), _BOTH, (x.note, y.note)
        if len(args) == 3:
            x, y, z = args
            boxed = isinstance(x, Box) and isinstance(y, Box) and isinstance(z, Box)
            if boxed and x.owner is y.owner is z.owner is self:
                return (x.value, y.value, z.value), _ALL, (x.note, y.note, z.note)
        settle_all(x for x in args if isinstance(x, Box) and x.owner is not self)
        own = [isinstance(x, Box) and x.owner is self for x in args]
        argnums = [i for i, mine in enumerate(own) if mine]
        values = [x.value if mine else x for x, mine in zip(args, own, strict=True)]
        return values, argnums, [args[i].note for i in argnums]


class ReverseTrace(Trace):
    """Write every call down, in order, so that cotangents can walk it backwards.

    A call is a tuple: the primitive, its result, its arguments and options, which arguments are
    traced, and the calls that they came from. A box's note is the call that it is the result of.
    """

    __slots__ = ("calls",)

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[tuple[Any, ...]] = []

    def note(self, *record: Any) -> Any:
        self.calls.append(record)
        return record

    def process_compound(self, compound: Any, args: Sequence[Any]) -> list[Any]:
        return compound.run_reverse(self, args)

    def pull(self, seeds: Sequence[tuple[Any, Any]], roots: Sequence[Any]) -> list[Any]:
        """Send cotangents from `seeds` (pairs of call and cotangent) back to `roots`.

        A root that no seed reaches gets None.
        """
        cotangents: dict[int, Any] = {}
        get, pop = cotangents.get, cotangents.pop
        for record, cotangent in seeds:
            before = get(id(record))
            cotangents[id(record)] = cotangent if before is None else before + cotangent
        for record in reversed(self.calls):
            cotangent = pop(id(record), None)
            if cotangent is None:
                continue
            if type(cotangent) is Scattered:
                cotangent = cotangent.total()
            primitive, result, args, kwargs, argnums, parents = record
            parts = primitive.pull(primitive, cotangent, result, args, kwargs, argnums)
            if len(parents) == 1:
                (part,) = parts
                key = id(parents[0])
                before = get(key)
                cotangents[key] = part if before is None else summed(before, part)
                continue
            for parent, part in zip(parents, parts, strict=True):
                before = get(id(parent))
                cotangents[id(parent)] = part if before is None else summed(before, part)
        found = [get(id(root)) for root in roots]
        return [g.total() if type(g) is Scattered else g for g in found]


reverse_trace: ContextVar[type[ReverseTrace]] = ContextVar("reverse_trace", default=ReverseTrace)


class ForwardTrace(Trace):
    """Carry a tangent beside every value: a box's note is its tangent."""

    __slots__ = ()

    def note(
        self, primitive: Any, result: Any, values: Sequence[Any], kwargs: dict[str, Any],
        argnums: Sequence[int], notes: Sequence[Any],
    ) -> Any:  # fmt: skip
        return primitive.push(primitive, notes, result, values, kwargs, argnums)

    def process_compound(self, compound: Any, args: Sequence[Any]) -> list[Any]:
        return compound.run_forward(self, args)


class Refusal(Trace):
    """The trace of a tangent that does not exist: whoever computes with it gets an error."""

    __slots__ = ("message",)

    def __init__(self, message: str) -> None:
        self.level = math.inf
        self.asked = False
        self.message = message

    def process(self, primitive: Any, args: Sequence[Any], kwargs: dict[str, Any]) -> Any:
        self.refuse()

    def process_compound(self, compound: Any, args: Sequence[Any]) -> list[Any]:
        self.refuse()

    def refuse(self) -> NoReturn:
        raise NoDerivativeError(self.message)


def entering(arrays: Sequence[Any]) -> list[Any]:
    """Return the inputs of a trace: the arrays inside guests, and nobody may write into any."""
    inputs = list(arrays)
    for x in inputs:
        if isinstance(x, MAY_HOLD_GUESTS):
            inputs = taken_out(inputs)
            settle_all(inputs)
            break
    return inputs


def settle_all(arrays: Iterable[Any]) -> None:
    """Let nobody write into any of the traced arrays among `arrays`, those of a key included."""
    for x in arrays:
        if isinstance(x, Box):
            settle_all(x.value) if type(x) is Key else settle(x)


def call(primitive: Any, args: Sequence[Any], kwargs: dict[str, Any]) -> Any:
    """Run a primitive under the innermost trace among its positional arguments, if any."""
    top = None
    for x in args:
        if isinstance(x, Box):
            trace = x.owner
            if top is None or trace.level > top.level:
                top = trace
    if top is None:
        return primitive.compute(*args, **kwargs)
    return top.process(primitive, args, kwargs)


def run(function: Callable[..., Any], inputs: Sequence[Any]) -> list[Any]:
    """Call a function with traced arrays; of the guests among its results return the values.

    NumPy hides what a traced array says to ``z[0] = x`` behind an error of its own: that is undone.
    """
    try:
        return taken_out(list(function(*inputs)))
    except ValueError as error:
        hidden = error.__cause__
        if isinstance(hidden, TracedValueError):
            raise hidden.with_traceback(error.__traceback__) from None
        raise


def vjp(
    function: Callable[..., Sequence[Any]], primals: Sequence[Any], box: Callable[[Any], type[Box]]
) -> tuple[list[Any], Callable[[Sequence[Any]], list[Any]]]:
    """Run ``function(*primals)`` in reverse mode.

    Parameters
    ----------
    function : callable
        Takes arrays, returns a sequence of arrays.
    primals : sequence of arrays
    box : callable
        Gives the box class of an array.

    Returns
    -------
    outputs : list of arrays
    pullback : callable
        Takes one cotangent an output (None counts as zero) and returns one an input, None where
        the input does not reach an output.
    """
    trace = reverse_trace.get()()
    primals = entering(primals)
    roots: list[Any] = [object() for _ in primals]
    inputs = [box(x)(x, trace, root) for x, root in zip(primals, roots, strict=True)]
    results = run(function, inputs)
    outputs, records = [], []
    for y in results:
        traced = isinstance(y, Box) and y.owner is trace
        outputs.append(y.value if traced else y)
        records.append(y.note if traced else None)

    def pullback(cotangents: Sequence[Any]) -> list[Any]:
        seeds = [
            (record, cotangent)
            for record, cotangent in zip(records, cotangents, strict=True)
            if record is not None and cotangent is not None
        ]
        return taken_out(trace.pull(seeds, roots))

    return outputs, pullback


def jvp(
    function: Callable[..., Sequence[Any]],
    primals: Sequence[Any],
    tangents: Sequence[Any],
    box: Callable[[Any], type[Box]],
) -> tuple[list[Any], list[Any]]:
    """Run ``function(*primals)`` in forward mode along `tangents`.

    Returns the outputs and their tangents, None where an output does not depend on the inputs.
    """
    primals, tangents = entering(primals), entering(tangents)
    trace = ForwardTrace()
    inputs = [box(x)(x, trace, t) for x, t in zip(primals, tangents, strict=True)]
    outputs, directions = [], []
    for y in run(function, inputs):
        traced = isinstance(y, Box) and y.owner is trace
        outputs.append(y.value if traced else y)
        directions.append(y.note if traced else None)
    for tangent in directions:
        if isinstance(tangent, Box) and isinstance(tangent.owner, Refusal):
            tangent.owner.refuse()
    return outputs, directions
