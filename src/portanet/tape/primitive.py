"""Primitives: the calls that a trace records, one for each function of a namespace."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from portanet.tape.box import Box
from portanet.tape.ops.card import Card
from portanet.tape.signature import Signature
from portanet.tape.trace import call
from portanet.tape.writing import fresh

_MISSING: Any = object()  # in the place of an array that was given by name
_NOT_TAKEN = (AttributeError, TypeError)
_LISTS = frozenset((list, tuple))


class Primitive:
    """A function of one array library together with its card.

    Parameters
    ----------
    card : Card
        What is known of the operation.
    compute : callable
        The function on plain arrays.
    xp : namespace
        The traced namespace in whose words the rule computes.
    box : type
        The box class of the library.
    generic : callable, optional
        The same function in the words of `xp`, where there is one.
    library : callable, optional
        The library's function of this name, where there is one. It says which arguments there
        are, and takes those that `compute`, a shorter way, does not.
    """

    __slots__ = (
        "box", "card", "compute", "generic", "library", "name", "pull", "push", "result", "rule",
        "shows", "signature", "xp",
    )  # fmt: skip

    def __init__(
        self,
        card: Card,
        compute: Callable[..., Any],
        xp: Any,
        box: type[Box],
        generic: Callable[..., Any] | None = None,
        library: Callable[..., Any] | None = None,
    ) -> None:
        self.card = card
        self.name = card.name
        self.compute = compute
        self.rule = rule = card.rule
        self.xp = xp
        self.box = box
        # A result in new memory may be written into; any other may show that of an operand.
        self.shows = card.fresh is not True and not isinstance(card.numpy, str)
        self.result = box if self.shows else fresh(box)
        self.generic = generic
        self.library = library
        self.signature = None if library is None else rule.signature
        self.pull, self.push = rule.vjp, rule.jvp

    def __repr__(self) -> str:
        return f"Primitive({self.name!r})"

    def __call__(self, *args: Any, **options: Any) -> Any:
        return call(self, args, options)

    def bound(self, args: tuple[Any, ...], options: dict[str, Any]) -> Any:
        """Call with arguments as the library takes them, plain arrays beside traced ones."""
        args = tuple(x for x in args if x is not _MISSING)
        if self.library is not None:
            if not any(isinstance(x, Box) for x in (*args, *options.values())):
                return self.library(*args, **options)
            args, options = _signature(self).bind(self.name, self.library, args, options)
        count = self.rule.arity or 1
        operands = map(self.xp.operands.check, args[:count])
        return call(self, (*operands, *args[count:]), options)

    def function(self) -> Callable[..., Any]:
        """Return the plain Python function that users call, which checks as little as it can."""
        if self.library is not None:
            make = {1: _of_one, 2: _of_two}.get(self.rule.arity or 0, _of_some)
            return functools.wraps(self.library)(make(self, self.compute))
        make = {1: _unary, 2: _binary, 3: _ternary}.get(self.rule.arity or 0, _variadic)
        function = make(self, self.compute)
        function.__name__ = function.__qualname__ = self.name
        function.__doc__ = getattr(self.compute, "__doc__", None)
        return function


def _signature(primitive: Primitive) -> Signature:
    assert primitive.signature is not None
    return primitive.signature


def _of_one(primitive: Primitive, compute: Callable[..., Any]) -> Callable[..., Any]:
    names = _signature(primitive).keywords

    def function(x: Any = _MISSING, /, *rest: Any, **options: Any) -> Any:
        if isinstance(x, Box):
            if rest or (options and not options.keys() <= names):
                return primitive.bound((x, *rest), options)
            return x.owner.process(primitive, (x,), options)
        if not rest and x is not _MISSING:
            try:
                return compute(x, **options) if options else compute(x)
            except _NOT_TAKEN:
                pass
        return primitive.bound((x, *rest), options)

    return function


def _of_two(primitive: Primitive, compute: Callable[..., Any]) -> Callable[..., Any]:
    names, known = _signature(primitive).keywords, primitive.xp.operands.known

    def function(x: Any, y: Any, /, *rest: Any, **options: Any) -> Any:
        if isinstance(x, Box):
            trace = x.owner
            if isinstance(y, Box):
                if y.owner.level > trace.level:
                    trace = y.owner
            elif type(y) not in known:
                return primitive.bound((x, y, *rest), options)
        elif isinstance(y, Box):
            trace = y.owner
            if type(x) not in known:
                return primitive.bound((x, y, *rest), options)
        else:
            if not rest:
                try:
                    return compute(x, y, **options) if options else compute(x, y)
                except _NOT_TAKEN:
                    pass
            return primitive.bound((x, y, *rest), options)
        if rest or (options and not options.keys() <= names):
            return primitive.bound((x, y, *rest), options)
        return trace.process(primitive, (x, y), options)

    return function


def _of_some(primitive: Primitive, compute: Callable[..., Any]) -> Callable[..., Any]:
    signature, known = _signature(primitive), primitive.xp.operands.known
    count, names = len(signature.positional), signature.keywords
    operands = primitive.rule.arity or 0

    def function(*args: Any, **options: Any) -> Any:
        for x in args:
            if isinstance(x, Box):
                if len(args) != count or (options and not options.keys() <= names):
                    return primitive.bound(args, options)
                for y in args[:operands]:
                    if not isinstance(y, Box) and type(y) not in known:
                        return primitive.bound(args, options)
                return call(primitive, args, options)
        if len(args) == count:
            try:
                return compute(*args, **options)
            except _NOT_TAKEN:
                pass
        return primitive.bound(args, options)

    return function


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
            elif type(y) in _LISTS:
                y = primitive.xp.operands.check(y)
        elif isinstance(y, Box):
            trace = y.owner
            if type(x) in _LISTS:
                x = primitive.xp.operands.check(x)
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
