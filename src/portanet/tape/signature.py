"""One signature for a function, however a caller gives its arguments.

A library takes an argument by position or by name, and calls the same thing ``a``, ``m`` or ``x``.
Rules know one signature: that of the standard. `Signature.bind` turns a call into it by that of the
library, once, before the call is recorded.
"""

from __future__ import annotations

import functools
import inspect
import operator
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from portanet.errors import ArgumentError, NoDerivativeError

Arguments = tuple[tuple[Any, ...], dict[str, Any]]
_read = functools.lru_cache(1024)(inspect.signature)


@dataclass(frozen=True, slots=True)
class Signature:
    """The arguments that rules know.

    Attributes
    ----------
    positional : tuple of str
        What is given by position: the names say what each is, where the library has it by name.
    keywords : frozenset of str
        What is given by name.
    open : bool
        Whether other options of the library are passed on, and not refused.
    """

    positional: tuple[str, ...]
    keywords: frozenset[str] = frozenset()
    open: bool = False

    @classmethod
    def of(cls, function: Callable[..., Any], skipped: int = 0) -> Signature:
        """Return the arguments that `function` takes behind the first `skipped`."""
        parameters = list(inspect.signature(function).parameters.values())[skipped:]
        named, others = inspect.Parameter.KEYWORD_ONLY, inspect.Parameter.VAR_KEYWORD
        return cls(
            tuple(p.name for p in parameters if p.kind < named and p.kind != p.VAR_POSITIONAL),
            frozenset(p.name for p in parameters if p.kind == named),
            any(p.kind == others for p in parameters),
        )

    def fits(self, args: tuple[Any, ...], options: dict[str, Any]) -> bool:
        """Whether a call gives its arguments so already."""
        return len(args) == len(self.positional) and options.keys() <= self.keywords

    def bind(
        self,
        name: str,
        function: Callable[..., Any],
        args: tuple[Any, ...],
        options: dict[str, Any],
    ) -> Arguments:
        """Return the arguments of a call of the library's `function` as rules know them."""
        try:
            signature = _read(function)
        except ValueError:
            return args, options
        try:
            bound = signature.bind(*args, **options).arguments
        except TypeError as error:
            raise ArgumentError(f"{name}: {error}; its arguments are {signature}") from None
        given: dict[str, Any] = {}
        rest: tuple[Any, ...] = ()
        for place, parameter in enumerate(signature.parameters.values()):
            if parameter.name not in bound:
                continue
            value = bound[parameter.name]
            if parameter.kind is parameter.VAR_POSITIONAL:
                rest = value
            elif parameter.kind is parameter.VAR_KEYWORD:
                for key in value:
                    self._take(name, given, key, -1, value[key], parameter.empty)
            else:
                self._take(name, given, parameter.name, place, value, parameter.default)
        leading: list[Any] = []
        for key in self.positional:
            if key not in given:
                break
            leading.append(given.pop(key))
        return (*leading, *rest), given

    def _take(
        self, name: str, given: dict[str, Any], key: str, place: int, value: Any, default: Any
    ) -> None:
        """Put an argument where it belongs; drop one that says nothing; refuse a strange one."""
        if key in self.keywords:
            given[key] = value
        elif 0 <= place < len(self.positional):
            given[self.positional[place]] = value
        elif self.open or key in self.positional:
            given[key] = value
        elif not (value is default or (isinstance(value, bool | str) and value == default)):
            raise NoDerivativeError(
                f"{name}: {key}= is an option of the library that the Array API standard does not "
                "have, so that it has no derivative, batch or recording: do it by a function of "
                "its own, such as xp.where or xp.astype"
            )


def sequence(x: Any) -> tuple[int, ...]:
    """Return one whole number, or several, as a tuple of them."""
    try:
        return (operator.index(x),)
    except TypeError:
        return tuple(map(operator.index, x))


def axes_of(axis: Any, rank: int) -> tuple[int, ...]:
    """Return the axes that an argument `axis` names, counted from the first; None names all."""
    if axis is None:
        return tuple(range(rank))
    return tuple(a % rank for a in sequence(axis)) if rank else ()
