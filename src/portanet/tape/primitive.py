"""Primitives: the calls that a trace records, one for each function of a namespace."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from portanet.tape.box import Box
from portanet.tape.rule import Rule
from portanet.tape.trace import call


class Primitive:
    """A function of one array library together with its derivative rule.

    Parameters
    ----------
    name : str
    compute : callable
        The function on plain arrays.
    rule : Rule
    xp : namespace
        The traced namespace in whose words the rule computes.
    box : type
        The box class of the library.
    generic : callable, optional
        The same function in the words of `xp`, where there is one.
    """

    __slots__ = ("box", "compute", "generic", "name", "pull", "push", "rule", "xp")

    def __init__(
        self,
        name: str,
        compute: Callable[..., Any],
        rule: Rule,
        xp: Any,
        box: type[Box],
        generic: Callable[..., Any] | None = None,
    ) -> None:
        self.name = name
        self.compute = compute
        self.rule = rule
        self.xp = xp
        self.box = box
        self.generic = generic
        self.pull, self.push = rule.vjp, rule.jvp

    def __repr__(self) -> str:
        return f"Primitive({self.name!r})"

    def __call__(self, *args: Any, **options: Any) -> Any:
        return call(self, args, options)

    def function(self) -> Callable[..., Any]:
        """Return the plain Python function that users call, which checks as little as it can."""
        arity = self.rule.arity
        make = {1: _unary, 2: _binary, 3: _ternary}.get(arity or 0, _variadic)
        function = make(self, self.compute)
        function.__name__ = function.__qualname__ = self.name
        function.__doc__ = getattr(self.compute, "__doc__", None)
        return function


_LISTS = frozenset((list, tuple))


def _unary(primitive: Primitive, compute: Callable[..., Any]) -> Callable[..., Any]:
    def function(x: Any, /, **options: Any) -> Any:
        if isinstance(x, Box):
            return x.owner.process(primitive, (x,), options)
        return compute(x, **options) if options else compute(x)

    return function


def _binary(primitive: Primitive, compute: Callable[..., Any]) -> Callable[..., Any]:
    def function(x: Any, y: Any, /, **options: Any) -> Any:
        if isinstance(x, Box):
            trace = x.owner
            if isinstance(y, Box):
                if y.owner.level > trace.level:
                    trace = y.owner
            elif type(y) in _LISTS and x.of_list:
                return function(x, x.of_list(y), **options)
        elif isinstance(y, Box):
            if type(x) in _LISTS and y.of_list:
                return function(y.of_list(x), y, **options)
            trace = y.owner
        elif options:
            return compute(x, y, **options)
        else:
            return compute(x, y)
        return trace.process(primitive, (x, y), options)

    return function


def _ternary(primitive: Primitive, compute: Callable[..., Any]) -> Callable[..., Any]:
    def function(x: Any, y: Any = None, z: Any = None, /, **options: Any) -> Any:
        if isinstance(x, Box) or isinstance(y, Box) or isinstance(z, Box):
            return call(primitive, (x, y, z), options)
        return compute(x, y, z, **options) if options else compute(x, y, z)

    return function


def _variadic(primitive: Primitive, compute: Callable[..., Any]) -> Callable[..., Any]:
    def function(*arrays: Any, **options: Any) -> Any:
        for x in arrays:
            if isinstance(x, Box):
                return call(primitive, arrays, options)
        return compute(*arrays, **options)

    return function
