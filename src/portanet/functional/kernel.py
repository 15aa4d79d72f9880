"""Kernels: functions with one generic body, which an adapter may replace by a native one."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any, TypeVar, overload

from portanet import tape
from portanet.backends import backend_of, is_array
from portanet.backends.generic import GENERIC
from portanet.tape.rule import Rule

F = TypeVar("F", bound=Callable[..., Any])
Body = Callable[..., Any]


@overload
def kernel(function: F, /) -> F: ...
@overload
def kernel(*, rule: Rule) -> Callable[[F], F]: ...
def kernel(function: Any = None, /, *, rule: Rule | None = None) -> Any:
    """Make a function choose its body by the library of its first argument.

    Parameters
    ----------
    function : callable
        The generic body, written on the Array API standard. Its first argument is an array.
    rule : Rule, optional
        The derivative. The tape then records the call as one operation; without it, the
        operations of the generic body are recorded.
    """
    if function is None:
        return lambda body: _dispatching(body, rule)
    return _dispatching(function, rule)


def _dispatching(function: Body, rule: Rule | None) -> Body:
    GENERIC.setdefault(function.__name__, function)
    bodies: dict[type, Body] = {}
    alone = len(inspect.signature(function).parameters) == 1

    def find(x: Any) -> Body:
        body = _choose(function, x, rule, alone)
        if is_array(x):
            bodies[type(x)] = body
        return body

    def dispatch_one(x: Any) -> Any:
        return (bodies.get(type(x)) or find(x))(x)

    def dispatch(x: Any, *args: Any, **options: Any) -> Any:
        return (bodies.get(type(x)) or find(x))(x, *args, **options)

    return functools.wraps(function)(dispatch_one if alone else dispatch)


def _choose(generic: Body, x: Any, rule: Rule | None, alone: bool) -> Body:
    """Return the body for the type of `x`; `alone` if there is no other argument."""
    name = generic.__name__
    backend = backend_of(x)
    plain = backend.kernels.get(name, generic)
    xp = backend.xp
    if not isinstance(xp, tape.Namespace):
        return backend.ruled(generic, rule) if rule and plain is generic else plain
    if alone and not isinstance(x, tape.Box):
        return plain
    if rule is not None:
        return xp.primitive(name, plain, rule, generic)
    return generic if plain is generic else _for_plain_arrays(plain, generic)


def _for_plain_arrays(native: Body, generic: Body) -> Body:
    def body(*args: Any, **options: Any) -> Any:
        traced = any(isinstance(x, tape.Box) for x in args)
        return (generic if traced else native)(*args, **options)

    return body
