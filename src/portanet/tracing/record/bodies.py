"""Recording the body of a loop or a branch once, as a program of its own.

Arrays that the body takes from around it become inputs of that program. Those of the reverse trace
around the loop do so through a `Mirror`, a reverse trace inside the body that stands for it: what
the body does to them is differentiated within one step.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from portanet.random import Key
from portanet.tape import box as tape_box
from portanet.tape.box import Box
from portanet.tape.trace import ReverseTrace, call
from portanet.tracing.program import Opaque, Program, Variable, replaced
from portanet.tracing.record.host import RecordedKey, RecordedNumber
from portanet.tracing.record.record import RecordTrace, recorded_box, recording


class Missed(Exception):
    """The body uses an array of a trace that has no mirror in it.

    Attributes
    ----------
    trace : Trace
    """

    def __init__(self, trace: Any) -> None:
        super().__init__()
        self.trace = trace


class BodyTrace(RecordTrace):
    """Record a body inside the recording `outer`.

    Attributes
    ----------
    captured : list of tuple
        Arrays and numbers of `outer` that the body uses, each with its stand-in.
    mirror : Mirror or None
    """

    __slots__ = ("_known", "captured", "mirror", "outer")

    def __init__(self, outer: RecordTrace, reverse: ReverseTrace | None) -> None:
        super().__init__(Program([]), outer.xp)
        self.outer = outer
        self.captured: list[tuple[Any, Any]] = []
        self._known: dict[int, Any] = {}
        self.mirror = None if reverse is None else Mirror(self, reverse)

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
        """Return a new input for a value of one step: an array, a key or a number."""
        if isinstance(x, Key):
            return RecordedKey(x, self, Opaque())
        if isinstance(x, RecordedNumber):
            return RecordedNumber(x.value, self, Opaque())
        return recorded_box(self.xp)(x, self, Variable(x.shape, x.dtype))

    def process(self, primitive: Any, args: Sequence[Any], kwargs: dict[str, Any]) -> Any:
        args = [replaced(self.resolve, x) for x in args]
        if any(isinstance(x, Box) and x.owner is self.mirror for x in args):
            return call(primitive, args, kwargs)
        options = {k: replaced(self.resolve, x) for k, x in kwargs.items()}
        return super().process(primitive, args, options)

    def resolve(self, x: Any) -> Any:
        """Return what stands in the body for a value from around it."""
        if type(x) is tape_box.Key:
            parts = replaced(self.resolve, x.value)
            return x if parts is x.value else tape_box.Key(parts, self, None)
        if not isinstance(x, Box | RecordedNumber) or x.owner is self or x.owner is self.mirror:
            return x
        if isinstance(self.outer, BodyTrace):
            x = self.outer.resolve(x)
        if x.owner is self.outer:
            return self._captured(x)
        if self.mirror is not None and x.owner is self.mirror.outer:
            return self.mirror.adopt(x)
        raise Missed(x.owner)

    def _captured(self, x: Any) -> Any:
        found = self._known.get(id(x))
        if found is None:
            found = self._known[id(x)] = self.stand_in(
                x if isinstance(x, RecordedNumber) else x.value
            )
            self.captured.append((x, found))
        return found


class Mirror(ReverseTrace):
    """The reverse trace `outer` inside a body.

    Attributes
    ----------
    roots : list of tuple
        Arrays of `outer` that the body uses, each with the root that stands for it.
    """

    __slots__ = ("_known", "body", "outer", "roots")

    def __init__(self, body: BodyTrace, outer: ReverseTrace) -> None:
        super().__init__()
        self.body = body
        self.outer = outer
        self.roots: list[tuple[Any, Any]] = []
        self._known: dict[int, Any] = {}

    def process(self, primitive: Any, args: Sequence[Any], kwargs: dict[str, Any]) -> Any:
        return super().process(primitive, [self.body.resolve(x) for x in args], kwargs)

    def adopt(self, x: Any) -> Box:
        """Return what stands for an array of the outer trace."""
        found = self._known.get(id(x))
        if found is None:
            found = self._known[id(x)] = self.root(self.body.resolve(x.value))
            self.roots.append((x, found.note))
        return found

    def root(self, x: Any) -> Box:
        """Return an array of the body as one with respect to which it is differentiated."""
        return self.body.xp.box(x, self, object())


def plain(x: Any) -> Any:
    """Return the plain value of an array or a key at hand."""
    if isinstance(x, Key):
        return Key(x.words)
    while isinstance(x, Box):
        x = x.value
    return x


def check_recorded(outer: RecordTrace, x: Any) -> None:
    """Raise `Missed` unless `x` is of the recording, or of one around it."""
    while isinstance(x, Box) and x.owner is not outer:
        if not isinstance(outer, BodyTrace):
            raise Missed(x.owner)
        outer = outer.outer
