"""The traced namespace: an Array API namespace that accepts plain and traced arrays alike."""

from __future__ import annotations

import functools
import operator
from collections.abc import Callable, Mapping
from typing import Any

from portanet.errors import NoDerivativeError
from portanet.tape.box import Box, strip
from portanet.tape.primitive import Primitive
from portanet.tape.rule import Rule
from portanet.tape.rules import COMPOSITES, CONSTANTS, EXTENSIONS, RULES

_OPERATORS = {
    "add": operator.add,
    "subtract": operator.sub,
    "multiply": operator.mul,
    "divide": operator.truediv,
    "floor_divide": operator.floordiv,
    "remainder": operator.mod,
    "pow": operator.pow,
    "matmul": operator.matmul,
}


class Namespace:
    """The functions of one array library, with derivatives.

    A function is made when it is first asked for. On plain arrays it calls the library's own; on
    traced ones it records itself, works through others that do, or says that it has no derivative.

    Parameters
    ----------
    name : str
        The name of the library.
    raw : namespace
        Its Array API namespace, for plain arrays.
    kernels : mapping
        Native bodies by the name of a function, which replace those of `raw` and the generic ones.
    box : type, optional
        The base of the box class, for libraries whose arrays have methods of their own.
    """

    def __init__(
        self,
        name: str,
        raw: Any,
        kernels: Mapping[str, Callable[..., Any]] | None = None,
        box: type[Box] = Box,
    ) -> None:
        self.__name__ = f"portanet.tape[{name}]"
        self.raw = raw
        self.kernels = dict(kernels or {})
        self.box: type[Box] = type(
            f"{name}_{box.__name__}", (box,), {"__slots__": ("note", "trace", "value"), "xp": self}
        )
        self.complex_dtypes: dict[Any, bool] = {}
        self.operators = _Operators(self)

    def __repr__(self) -> str:
        return f"<{self.__name__}>"

    def __dir__(self) -> list[str]:
        return sorted({*dir(self.raw), *RULES, *EXTENSIONS})

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        value = self._make(name)
        self.__dict__[name] = value
        return value

    def _make(self, name: str) -> Any:
        if name in ("linalg", "fft"):
            return _Extension(self, getattr(self.raw, name))
        if name in EXTENSIONS:
            rule, generic = EXTENSIONS[name]
            return self.primitive(name, functools.partial(generic, self.raw), rule)
        raw = getattr(self.raw, name)
        if name in RULES:
            return self.primitive(name, raw, RULES[name])
        if name in COMPOSITES:
            return _composite(self, raw, COMPOSITES[name])
        return plain(name, raw)

    def primitive(self, name: str, body: Callable[..., Any], rule: Rule) -> Callable[..., Any]:
        """Return the recorded function `name`, computed by the native kernel if there is one."""
        compute = self.kernels.get(name, body)
        return Primitive(name, compute, rule, self, self.box).function(rule.arity)


class _Operators:
    """The functions behind ``+``, ``@``, … on boxes: the library's operators, not its functions."""

    def __init__(self, xp: Namespace) -> None:
        for name, function in _OPERATORS.items():
            if name in RULES:
                function = Primitive(name, function, RULES[name], xp, xp.box).function(2)
            else:
                function = plain(name, function)
            setattr(self, name, function)


class _Extension:
    """``xp.linalg`` or ``xp.fft``: the functions shared with the main namespace are those of it."""

    def __init__(self, xp: Namespace, raw: Any) -> None:
        self._xp = xp
        self._raw = raw

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        shared = name in RULES or name in COMPOSITES
        value = getattr(self._xp, name) if shared else plain(name, getattr(self._raw, name))
        self.__dict__[name] = value
        return value


def has_box(tree: Any) -> bool:
    """Whether there is a traced array among arguments, also inside lists and tuples."""
    if isinstance(tree, Box):
        return True
    return isinstance(tree, list | tuple) and any(map(has_box, tree))


def _composite(
    xp: Namespace, raw: Callable[..., Any], body: Callable[..., Any]
) -> Callable[..., Any]:
    @functools.wraps(raw)
    def function(*args: Any, **options: Any) -> Any:
        if any(map(has_box, args)) or any(map(has_box, options.values())):
            return body(xp, *args, **options)
        return raw(*args, **options)

    return function


def plain(name: str, raw: Any) -> Any:
    """Let a function without a rule serve plain arrays, and traced ones where it is constant."""
    if isinstance(raw, type) or not callable(raw):
        return raw

    if name in CONSTANTS:

        @functools.wraps(raw)
        def constant(*args: Any, **options: Any) -> Any:
            if any(map(has_box, args)):
                args = tuple(map(_strip_all, args))
            return raw(*args, **options)

        return constant

    @functools.wraps(raw)
    def refusing(*args: Any, **options: Any) -> Any:
        if any(map(has_box, args)) or any(map(has_box, options.values())):
            raise NoDerivativeError(
                f"{name} has no derivative rule: compute it outside the derivative, or write it "
                "with functions that have one"
            )
        return raw(*args, **options)

    return refusing


def _strip_all(x: Any) -> Any:
    return type(x)(map(_strip_all, x)) if isinstance(x, list | tuple) else strip(x)
