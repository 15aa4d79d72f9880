"""Observing: a trace that shows every operation to a function and changes nothing.

Its boxes hold plain arrays, or the boxes of traces further out. What a derivative would leave
alone is observed too, and a value can be read as usual.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from portanet.tape.box import Box, Key, seen
from portanet.tape.bundle import Bundle
from portanet.tape.lifted import Lifted
from portanet.tape.trace import Trace, call

Observer = Callable[[str, Callable[[Sequence[Any]], Any], Sequence[Any]], Any]


class Observed(Lifted):
    """The half of a box class whose arrays are observed; they can be looked at."""

    __slots__ = ()

    def __bool__(self) -> bool:
        return bool(self.value)


def _reading(name: str) -> Callable[..., Any]:
    def method(self: Observed, *args: Any, **options: Any) -> Any:
        return getattr(self.value, name)(*args, **options)

    return method


for _name in ("__float__", "__int__", "__complex__", "__index__", "item", "tolist"):
    setattr(Observed, _name, _reading(_name))


class ObserveTrace(Trace):
    """Run every call through an observer.

    Parameters
    ----------
    observer : callable
        ``observer(name, run, args)`` returns ``run(args)``, the result of the function `name`;
        `args` are its arguments by position, without the boxes of this trace.
    xp : Namespace
    whole : bool
        Whether a kernel is one operation; without it the observer sees what it is made of.
    """

    __slots__ = ("observer", "whole", "xp")

    def __init__(self, observer: Observer, xp: Any, whole: bool = True) -> None:
        super().__init__()
        self.observer = observer
        self.xp = xp
        self.whole = whole

    def lift(self, x: Any) -> Any:
        """Return an array as this trace sees it."""
        return _box(self.xp)(x, self, None)

    def lower(self, x: Any) -> Any:
        """Return an array as it was before `lift`; anything else as it is."""
        if type(x) in (tuple, list):
            return type(x)(map(self.lower, x))
        if type(x) is Key:
            return seen(self.lower(x.value))
        return x.value if isinstance(x, Box) and x.owner is self else x

    def process(self, primitive: Any, args: Sequence[Any], kwargs: dict[str, Any]) -> Any:
        if primitive.generic is not None and not self.whole:
            return primitive.generic(*args, **kwargs)
        options = {name: self.lower(x) for name, x in kwargs.items()}

        def run(values: Sequence[Any]) -> Any:
            return call(primitive, values, options)

        result = self.observer(primitive.name, run, [self.lower(x) for x in args])
        if primitive.box is Bundle:
            return Bundle(result, self, None)
        if isinstance(result, tuple | list):
            return type(result)(map(self.lift, result))
        return self.lift(result)

    def process_compound(self, compound: Any, args: Sequence[Any]) -> list[Any]:
        results = self.observer(compound.name, compound.bind, [self.lower(x) for x in args])
        return [self.lift(y) if hasattr(y, "shape") else y for y in results]


def _box(xp: Any) -> type[Box]:
    found = xp.__dict__.get("observed_box")
    if found is None:
        made = type(f"Observed_{xp.box.__name__}", (Observed, xp.box), {"__slots__": ()})
        found = xp.__dict__.setdefault("observed_box", made)
    return found
