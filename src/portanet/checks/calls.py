"""Bad arguments of functions: refused by name, whatever a library said about them."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping
from numbers import Integral, Real
from typing import Any, NoReturn

from portanet.checks.arrays import ArrayCheck, given_arrays, require_array
from portanet.errors import ArgumentError, BackendMismatchError, shown
from portanet.interface import backend_of, dtype_name, is_array
from portanet.random import Key

_OF_ARGUMENTS = (
    TypeError,
    ValueError,
    LookupError,
    AttributeError,
    AssertionError,
    MemoryError,
    NameError,
    OverflowError,
    RuntimeError,
    StopIteration,
    ZeroDivisionError,
)
_LIBRARIES = ("builtins", "numpy")
"""Where the classes are from in which libraries refuse arguments; their own say something else."""


def checked(function: Callable[..., Any]) -> Callable[..., Any]:
    """Make a function refuse bad arguments with an error of the family, on every library.

    Its arrays are checked in each call. Anything else is found out when the call failed.
    """
    check = ArrayCheck(function)
    seen = check.seen

    @functools.wraps(function)
    def checking(*args: Any, **options: Any) -> Any:
        if options or tuple(map(type, args)) not in seen:
            check(args, options)
        try:
            return function(*args, **options)
        except Exception as error:
            raise_refusal(function, error, args, options)

    return checking


def raise_refusal(
    function: Callable[..., Any], error: Exception, args: Any, options: Mapping[str, Any]
) -> NoReturn:
    """Raise what a failed call of `function` is to be answered with.

    That is `error` itself if it is of the family or says nothing of arguments; else an error that
    names the first bad argument, or all of them with what the library said.
    """
    unnamed = isinstance(error, BackendMismatchError)
    if not (unnamed or _is_of_arguments(error)):
        raise error
    name = function.__name__
    try:
        given = inspect.signature(function).bind(*args, **options).arguments
    except TypeError as wrong:
        raise ArgumentError(f"{name}: {wrong}: its arguments are {_spelled(function)}") from None
    parameters = inspect.signature(function).parameters
    arrays = list(given_arrays(list(parameters.values()), args, options))
    for parameter, value in arrays:
        require_array(f"{name}: {parameter}", value)
    if unnamed:
        raise error
    backend_of(*(value for _, value in arrays))
    for parameter, value in given.items():
        holds = _KINDS.get(str(parameters[parameter].annotation).removesuffix(" | None"))
        optional = value is None and parameters[parameter].default is None
        if holds is not None and not optional and not holds[0](value):
            raise ArgumentError(f"{name}: {parameter} is {holds[1]}: got {shown(value)}") from error
    listed = ", ".join(f"{key}={_brief(value)}" for key, value in given.items())
    raise ArgumentError(f"{name}({listed}): {error or type(error).__name__}") from error


def _is_of_arguments(error: Exception) -> bool:
    return (
        isinstance(error, _OF_ARGUMENTS) and type(error).__module__.partition(".")[0] in _LIBRARIES
    )


def _is_number(value: Any) -> bool:
    return isinstance(value, Real) or getattr(value, "shape", None) == ()


def _is_integer(value: Any) -> bool:
    return isinstance(value, Integral) and not isinstance(value, bool)


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_flag(value: Any) -> bool:
    return isinstance(value, bool)


def _is_key(value: Any) -> bool:
    return isinstance(value, Key)


_KINDS: dict[str, tuple[Callable[[Any], bool], str]] = {
    "bool": (_is_flag, "True or False"),
    "float": (_is_number, "a number"),
    "int": (_is_integer, "an integer"),
    "random.Key": (_is_key, "a portanet.random.Key, as from pn.random.key(0)"),
    "str": (_is_text, "a text"),
}
"""What an annotation promises: how it is checked, and how a message says it."""


def _brief(value: Any) -> str:
    if not is_array(value):
        return shown(value)
    return f"{dtype_name(value)}{list(value.shape)}"


def _spelled(function: Callable[..., Any]) -> str:
    return f"({', '.join(map(str, inspect.signature(function).parameters))})"
