"""Kernels: functions with one generic body, which an adapter may replace by a native one."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any, TypeVar, overload

from portanet import checks, tape
from portanet.autodiff.implicit import unwrap
from portanet.interface import adapter_of, backend_of, is_array
from portanet.tape.ops.batching import Batching
from portanet.tape.ops.card import UNKNOWN, Card
from portanet.tape.ops.form import FormOf
from portanet.tape.ops.words import Words
from portanet.tape.rule import Rule

F = TypeVar("F", bound=Callable[..., Any])
Body = Callable[..., Any]
Check = Callable[[str, Any], None]
GENERIC: dict[str, Body] = {}
"""The generic bodies of kernels, by name: what a native body leaves to them."""


@overload
def kernel(function: F, /) -> F: ...
@overload
def kernel(
    *,
    takes: Check | None = None,
    rule: Rule = UNKNOWN,
    batching: Batching | None = None,
    numpy: str | FormOf | None = None,
    words: str | Words | None = None,
    fresh: bool = False,
) -> Callable[[F], F]: ...
def kernel(
    function: Any = None,
    /,
    *,
    takes: Check | None = None,
    rule: Rule = UNKNOWN,
    **entries: Any,
) -> Any:
    """Make a function choose its body by the library of its first argument.

    Whatever is annotated ``Any`` or ``Array`` is an array, and is checked to be one, and of the
    library of the first. What a library says of bad arguments is turned into an error of the
    family.

    Parameters
    ----------
    function : callable
        The generic body, written on the Array API standard. Its first argument is an array.
    takes : callable, optional
        ``takes(name, x)`` raises for an array of a dtype that the function is not of, whatever the
        libraries make of it: `portanet.checks.real_floating`. It is asked once for each dtype.
    rule : Rule, optional
        The derivative. The tape then records the call as one operation; without it, the
        operations of the generic body are recorded.
    **entries
        What else its `Card` says.
    """
    if function is None:
        return lambda body: _dispatching(body, Card(kernel_name(body), rule, **entries), takes)
    return _dispatching(function, Card(kernel_name(function)))


def kernel_name(function: Body) -> str:
    """Return the name under which an adapter may have a native body for a kernel.

    Functions of portanet go by their own names, others by their modules too: what happens to be
    called like one of ours is another function.
    """
    if function.__module__.partition(".")[0] == "portanet":
        return function.__name__
    return f"{function.__module__}.{function.__qualname__}"


def _dispatching(function: Body, card: Card, takes: Check | None = None) -> Body:
    GENERIC.setdefault(card.name, function)
    bodies: dict[type, Body] = {}
    taken: set[tuple[type, Any]] | None = None if takes is None else set()
    parameters = list(inspect.signature(function).parameters.values())
    alone = len(parameters) == 1
    check = checks.ArrayCheck(function)
    seen = check.seen

    def find(x: Any) -> Body:
        checks.require_array(f"{function.__name__}: {parameters[0].name}", x)
        body = _choose(function, x, card, alone)
        if not is_array(x):
            return _unwrapping(body)
        bodies[type(x)] = body
        return body

    def look(x: Any) -> None:
        assert takes is not None
        assert taken is not None
        takes(parameters[0].name, x)
        taken.add((type(x), x.dtype))

    def dispatch_one(x: Any) -> Any:
        body = bodies.get(type(x)) or find(x)
        if taken is not None and (type(x), x.dtype) not in taken:
            look(x)
        try:
            return body(x)
        except Exception as error:
            checks.raise_refusal(function, error, (x,), {})

    def dispatch(x: Any, *args: Any, **options: Any) -> Any:
        body = bodies.get(type(x)) or find(x)
        if taken is not None and (type(x), x.dtype) not in taken:
            look(x)
        try:
            return body(x, *args, **options)
        except Exception as error:
            checks.raise_refusal(function, error, (x, *args), options)

    def dispatch_several(x: Any, *args: Any, **options: Any) -> Any:
        body = bodies.get(type(x)) or find(x)
        if options or (type(x), *map(type, args)) not in seen:
            leader = check((x, *args), options)
            body = body if leader is None else find(leader)
        if taken is not None and (type(x), x.dtype) not in taken:
            look(x)
        try:
            return body(x, *args, **options)
        except Exception as error:
            checks.raise_refusal(function, error, (x, *args), options)

    several = sum(map(checks.is_of_array, parameters)) > 1
    chosen = dispatch_one if alone else dispatch_several if several else dispatch
    chosen = functools.wraps(function)(chosen)
    chosen.checked = True  # pyright: ignore[reportAttributeAccessIssue]
    chosen.card = card  # pyright: ignore[reportAttributeAccessIssue]
    return chosen


def _choose(generic: Body, x: Any, card: Card, alone: bool) -> Body:
    """Return the body for the type of `x`; `alone` if there is no other argument."""
    backend = adapter_of(x) or backend_of(x)
    plain = backend.native(card) or backend.following(generic)
    ruled = card.rule is not UNKNOWN
    xp = backend.xp
    if not isinstance(xp, tape.Namespace):
        return backend.ruled(generic, card.rule) if ruled and plain is generic else plain
    if alone and not isinstance(x, tape.Box):
        return plain
    if ruled:
        return xp.primitive(card, plain, generic)
    return generic if plain is generic else _for_plain_arrays(plain, generic)


def _unwrapping(body: Body) -> Body:
    """Return a body that is called with the arrays inside of any `Param`."""

    def unwrapped(*args: Any, **options: Any) -> Any:
        return body(*map(unwrap, args), **unwrap(options))

    return unwrapped


def _for_plain_arrays(native: Body, generic: Body) -> Body:
    def body(*args: Any, **options: Any) -> Any:
        for x in (*args, *options.values()) if options else args:
            if isinstance(x, tape.Box):
                return generic(*args, **options)
        return native(*args, **options)

    return body
