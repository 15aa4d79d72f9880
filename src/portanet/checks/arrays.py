"""Which arguments of a function are arrays, and that a call gives arrays of one library there."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from portanet.errors import BackendMismatchError
from portanet.interface import backend_of, is_array, takes_over
from portanet.tape import Box

_ANNOTATIONS = ("Any", "Array")
"""How functions annotate an array, for which the standard has no class."""


class _Absent:
    """The class of an argument that a call leaves out."""


def require_array(name: str, x: Any) -> None:
    """Raise `BackendMismatchError` unless `x` is an array of a known library."""
    if type(x) in _classes:
        return
    if not (is_array(x) or isinstance(x, Box)):
        raise BackendMismatchError(
            f"{name} is an array: got {_kind(x)}: convert it first, for example with "
            f"numpy.asarray(x, dtype=numpy.float32)"
        )
    _classes.add(type(x))


_classes: set[type] = set()
"""The classes of arrays seen so far."""


class ArrayCheck:
    """Checks that the arrays of a call of `function` are arrays, and of one library.

    They may be given by position or by keyword.

    Attributes
    ----------
    seen : set of tuple
        The classes of all positional arguments, and after them those of what may be given by
        keyword if any of it was, in calls that need not be looked at again.
    """

    __slots__ = ("name", "named", "names", "parameters", "seen")

    def __init__(self, function: Callable[..., Any]) -> None:
        self.name = function.__name__
        self.parameters = list(inspect.signature(function).parameters.values())
        self.named = [p.name for p in self.parameters if is_of_array(p) and _may_be_named(p)]
        self.names = frozenset(self.named)
        self.seen: set[tuple[type, ...]] = set()

    def __call__(self, args: Sequence[Any], options: Mapping[str, Any]) -> Any:
        """Raise `BackendMismatchError` for what is no array, or of another library.

        Return the array whose backend computes with all of them, None if that is the first. A
        `Param` among them is such, for its library is not in its class.
        """
        kinds = tuple(map(type, args))
        if options and not self.names.isdisjoint(options):
            kinds += tuple([type(options.get(name, _Absent)) for name in self.named])
        if kinds in self.seen:
            return None
        found = list(given_arrays(self.parameters, args, options))
        for name, x in found:
            require_array(f"{self.name}: {name}", x)
        backend_of(*(x for _, x in found))
        for leads in (lambda x: takes_over(x, found[0][1]), lambda x: not is_array(x)):
            leader = next((x for _, x in found if leads(x)), None)
            if leader is not None:
                return leader
        self.seen.add(kinds)
        return None


def given_arrays(
    parameters: Sequence[inspect.Parameter], args: Sequence[Any], options: Mapping[str, Any]
) -> Iterator[tuple[str, Any]]:
    """Walk over the arguments that are to be arrays, but for None where it is the default."""
    for i, p in enumerate(parameters):
        if not is_of_array(p):
            continue
        if p.kind is p.VAR_POSITIONAL:
            yield from ((f"{p.name}[{j}]", x) for j, x in enumerate(args[i:]))
            continue
        if p.kind <= p.POSITIONAL_OR_KEYWORD and i < len(args):
            value = args[i]
        elif p.name in options and _may_be_named(p):
            value = options[p.name]
        else:
            continue
        if value is not None or p.default is not None:
            yield p.name, value


def is_of_array(parameter: inspect.Parameter) -> bool:
    """Whether a parameter is annotated as an array."""
    return parameter.annotation in _ANNOTATIONS


def _may_be_named(parameter: inspect.Parameter) -> bool:
    return parameter.kind in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY)


def _kind(value: Any) -> str:
    kind = type(value)
    return kind.__name__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__name__}"
