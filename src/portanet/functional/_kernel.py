"""Kernels: functions with one generic body, which an adapter may replace by a native one."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, TypeVar, overload

from portanet import tape
from portanet.backends import backend_of, is_array
from portanet.tape.rule import Rule

F = TypeVar("F", bound=Callable[..., Any])


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


def _dispatching(function: Callable[..., Any], rule: Rule | None) -> Callable[..., Any]:
    bodies: dict[type, Callable[..., Any]] = {}

    @functools.wraps(function)
    def dispatch(x: Any, *args: Any, **options: Any) -> Any:
        body = bodies.get(type(x))
        if body is None:
            body = _choose(function, x, rule)
            if is_array(x):
                bodies[type(x)] = body
        return body(x, *args, **options)

    return dispatch


def _choose(generic: Callable[..., Any], x: Any, rule: Rule | None) -> Callable[..., Any]:
    name = generic.__name__
    backend = backend_of(x)
    native = backend.kernels.get(name)
    xp = backend.xp
    if not isinstance(xp, tape.Namespace):
        return native or generic
    if rule is not None:
        return xp.primitive(name, native or generic, rule)
    return generic if native is None else _for_plain_arrays(native, generic)


def _for_plain_arrays(native: Callable[..., Any], generic: Callable[..., Any]) -> Any:
    def body(*args: Any, **options: Any) -> Any:
        traced = any(isinstance(x, tape.Box) for x in args)
        return (generic if traced else native)(*args, **options)

    return body
