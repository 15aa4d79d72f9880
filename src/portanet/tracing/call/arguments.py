"""Arguments of a jitted function that are marked as static or donated."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from portanet.errors import ArgumentError, shown


class Static:
    """An argument that is part of the program as a whole: a leaf, compared by type and value."""

    __slots__ = ("value",)

    def __init__(self, value: Any) -> None:
        self.value = value

    def __hash__(self) -> int:
        return hash(self.value)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Static) or type(self.value) is not type(other.value):
            return False
        if self.value is other.value:
            return True
        # 0.0 is not -0.0, and (1,) is not (True,).
        told_apart = isinstance(self.value, float | complex | tuple | frozenset)
        same = bool(self.value == other.value)
        return same and not (told_apart and repr(self.value) != repr(other.value))

    def __repr__(self) -> str:
        return repr(self.value)


class Marked:
    """Arguments by position and by name; one that has both is found under either.

    Parameters
    ----------
    function : callable
        Its signature, where it has one, says which position has which name.
    what : str
        The option by which they are marked.
    positions : int or sequence of int
    names : str or sequence of str
    """

    def __init__(
        self,
        function: Callable[..., Any],
        what: str,
        positions: int | Sequence[int],
        names: str | Sequence[str] = (),
    ) -> None:
        self.positions = set(_several(f"{what}_argnums", positions, int))
        self.names = set(_several(f"{what}_argnames", names, str))
        order = _order(function)
        by_name = {name: place for place, name in enumerate(order)}
        for position in self.positions:
            if position < 0:
                raise ArgumentError(f"pn.jit: {what}_argnums >= 0: got {position}")
        places = {by_name[name] for name in self.names if name in by_name}
        self.names |= {order[i] for i in self.positions if i < len(order)}
        self.positions |= places

    def wrapped(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, Any]:
        """Return the arguments with the marked ones as `Static`."""
        if not self.positions and not self.names:
            return args, kwargs
        wrapped = tuple(_static(i, x) if i in self.positions else x for i, x in enumerate(args))
        named = {k: _static(k, x) if k in self.names else x for k, x in kwargs.items()}
        return wrapped, named

    def among(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> list[Any]:
        """Return the marked ones among the arguments."""
        found = [x for i, x in enumerate(args) if i in self.positions]
        return found + [x for name, x in kwargs.items() if name in self.names]


def bare(x: Any) -> Any:
    """Return an argument without the mark of a static one."""
    return x.value if type(x) is Static else x


def _several(what: str, given: Any, kind: type) -> Iterable[Any]:
    values = (given,) if isinstance(given, kind) else given
    wrong = not isinstance(values, tuple | list | set | frozenset) or isinstance(given, bool)
    if wrong or any(not isinstance(x, kind) or isinstance(x, bool) for x in values):
        raise ArgumentError(f"pn.jit: {what} are of type {kind.__name__}: got {shown(given)}")
    return values


def _order(function: Callable[..., Any]) -> list[str]:
    """Return the names of the parameters that may be given by position."""
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return []
    kinds = inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD
    return [p.name for p in parameters if p.kind in kinds]


def _static(place: int | str, value: Any) -> Static:
    try:
        hash(value)
    except TypeError:
        raise ArgumentError(
            f"pn.jit: the static argument {place!r} tells programs apart by its hash: "
            f"{type(value).__name__} has none: give it one, or take it from around the function"
        ) from None
    return Static(value)
