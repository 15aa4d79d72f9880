"""Recording a body once: the step of a loop or a branch, as a program of its own.

A body is recorded by the innermost trace of all. A call on its arrays comes here first, whatever
traces the function is in; the arrays of these that it uses become captured operands. What the
function computes from arrays around it alone never comes here: it is computed before the loop.
"""

from __future__ import annotations

from collections.abc import Callable, MutableMapping, Sequence
from typing import Any

import numpy as np

from portanet.errors import TracedValueError
from portanet.random import Key
from portanet.tape import box as tape_box
from portanet.tape.box import Box, at_hand
from portanet.tape.bundle import Bundle
from portanet.tracing.program import HostFunction, Opaque, Operation, Program, Variable, replaced
from portanet.tracing.record.host import KEPT, RecordedKey, RecordedNumber
from portanet.tracing.record.record import RecordTrace, recording

_RECORDED = Box, RecordedKey, RecordedNumber
_NOT_AN_ARGUMENT = (
    "an operation with a derivative of its own, or its rule, uses an array that is being "
    "differentiated but is not among its positional arguments, so that its derivative is lost: "
    "pass it as one"
)


class BodyTrace(RecordTrace):
    """Record a body.

    Parameters
    ----------
    xp : Namespace
    origin : tuple, optional
        The recording that is interpreted here, and the values of its variables here: the rules of
        operations with derivatives of their own may still hold its arrays.
    keeps_rules : bool
        Whether such operations are recorded whole.

    Attributes
    ----------
    captured : list of tuple
        What the body takes from around it, each with its stand-in.
    """

    __slots__ = ("_known", "captured", "keeps_rules", "origin")

    def __init__(
        self,
        xp: Any,
        origin: tuple[BodyTrace, MutableMapping[Variable, Any]] | None = None,
        keeps_rules: bool = True,
    ) -> None:
        super().__init__(Program([]), xp)
        self.keeps_rules = keeps_rules
        self.origin = origin
        self.captured: list[tuple[Any, Any]] = []
        self._known: dict[int, Any] = {}

    def run(self, function: Callable[..., Any], *args: Any) -> Any:
        """Call a function while its arrays are recorded here.

        The values at hand may be such as no replay will have: of a branch that is not taken.
        """
        token = recording.set(self)
        self.finished = False
        try:
            with np.errstate(all="ignore"):
                return function(*args)
        finally:
            recording.reset(token)
            self.finished = True

    def stand_in(self, x: Any) -> Any:
        """Return a new input in the place of an array, a key or a number from around the body."""
        value = plain(x)
        array = hasattr(value, "shape")
        return self._recorded(value, Variable(value.shape, value.dtype) if array else Opaque())

    def noted(self, values: Sequence[Any]) -> list[Any]:
        """Return the variables of values of the body, or the constants that they are."""
        return [self._variable(self.resolve(x)) for x in values]

    def process(self, primitive: Any, args: Sequence[Any], kwargs: dict[str, Any]) -> Any:
        running = recording.get()
        if self.finished and isinstance(running, BodyTrace) and running.follows(self):
            return running.process(primitive, args, kwargs)
        args = [replaced(self.resolve, x) for x in args]
        options = {k: replaced(self.resolve, x) for k, x in kwargs.items()}
        return super().process(primitive, args, options)

    def process_compound(self, compound: Any, args: Sequence[Any]) -> list[Any]:
        return super().process_compound(compound, [self.resolve(x) for x in args])

    def host_again(self, function: HostFunction, args: Sequence[Any]) -> Any:
        return super().host_again(function, [self.resolve(x) for x in args])

    def _ruled(self, primitive: Any, args: Sequence[Any]) -> Any:
        if not self.keeps_rules:
            return super()._ruled(primitive, args)
        trial = BodyTrace(self.xp, (self, {}))
        results = trial.run(primitive.compute, *map(trial.stand_in, args))
        values = tuple(plain(y) for y in results)
        operation = Operation(primitive, [self._variable(x) for x in args], {}, Opaque())
        self.program.operations.append(operation)
        return Bundle(values, self, operation.result)

    def follows(self, trace: Any) -> bool:
        """Whether this is an interpretation of the recording `trace`, at whatever remove."""
        return self.origin is not None and (
            self.origin[0] is trace or self.origin[0].follows(trace)
        )

    def resolve(self, x: Any) -> Any:
        """Return what stands in the body for a value from around it."""
        if type(x) is tape_box.Key:
            parts = replaced(self.resolve, x.value)
            return x if parts is x.value else tape_box.Key(parts, self, None)
        if not isinstance(x, _RECORDED) or x.owner is self:
            return x
        found = self._known.get(id(x))
        if found is None and self.origin is not None:
            trace, values = self.origin
            own = trace.known(x)
            if own is not None:
                if own.owner is not trace:
                    raise TracedValueError(_NOT_AN_ARGUMENT)
                found = values.get(trace._variable(own))
                x = own if found is None else x
        if found is None:
            if isinstance(x.owner, BodyTrace) and x.owner.finished:
                raise TracedValueError(KEPT)
            found = self._known[id(x)] = self.stand_in(x)
            self.captured.append((x, found))
        if found.owner is not self:
            raise TracedValueError(_NOT_AN_ARGUMENT)
        return found

    def known(self, x: Any) -> Any:
        """Return what stands here for a value of this recording or one before it, or None."""
        if x.owner is self or id(x) in self._known:
            return self._known.get(id(x), x)
        if self.origin is None:
            return None
        trace, values = self.origin
        own = trace.known(x)
        return None if own is None else values.get(trace._variable(own))


def is_recording(xp: Any) -> bool:
    """Whether a function of arrays of a namespace is recorded now."""
    running = recording.get()
    return running is not None and running.xp is xp


def is_in_body() -> bool:
    """Whether a body is recorded now, to be differentiated later."""
    running = recording.get()
    return running is not None and running.keeps_rules


def plain(x: Any) -> Any:
    """Return the plain value of this run of an array, a key or a number; of a batch, one entry."""
    if isinstance(x, Key):
        return Key(x.words)
    return x.value if isinstance(x, RecordedNumber) else at_hand(x)
