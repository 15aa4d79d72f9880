"""The traced namespace: an Array API namespace that accepts plain and traced arrays alike."""

from __future__ import annotations

import functools
import importlib
import operator
from collections.abc import Callable, Mapping
from typing import Any

from portanet.once import once
from portanet.tape.batched import Batched
from portanet.tape.box import Box, set_arithmetic
from portanet.tape.bundle import Several, bundled
from portanet.tape.calls import composite, constant, of_types, refusing
from portanet.tape.form import Form
from portanet.tape.in_place import set_in_place
from portanet.tape.operands import Operands
from portanet.tape.primitive import Primitive
from portanet.tape.rule import Rule
from portanet.tape.rules import COMPOSITES, CONSTANTS, EXTENSIONS, RULES, TYPES

_OPERATORS = {
    "equal": operator.eq,
    "not_equal": operator.ne,
    "less": operator.lt,
    "less_equal": operator.le,
    "greater": operator.gt,
    "greater_equal": operator.ge,
    "bitwise_and": operator.and_,
    "bitwise_or": operator.or_,
    "bitwise_xor": operator.xor,
    "bitwise_invert": operator.invert,
    "bitwise_left_shift": operator.lshift,
    "bitwise_right_shift": operator.rshift,
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
    adapter : Backend, optional
        The adapter that made the namespace, where no name leads to it.
    """

    def __init__(
        self,
        name: str,
        raw: Any,
        kernels: Mapping[str, Callable[..., Any]] | None = None,
        box: type[Box] = Box,
        adapter: Any = None,
    ) -> None:
        self.__name__ = f"portanet.tape[{name}]"
        self.library = name
        self.raw = raw
        self.adapter = adapter
        self.operands = Operands(self)
        self.kernels = dict(kernels or {})
        self.box: type[Box] = type(
            f"{name}_{box.__name__}", (box,), {"__slots__": ("note", "owner", "value"), "xp": self}
        )
        self.complex_dtypes: dict[Any, bool] = {}
        self.dtypes: dict[Any, Any] = {}
        self.operators = _Operators(self)
        set_arithmetic(self.box, self.operators)
        set_in_place(self.box, self.operators)
        self.constants = _Constants(self)

    @once
    def batch_box(self) -> type[Box]:
        """The class of the boxes of a batch."""
        return type(f"Batched_{self.box.__name__}", (Batched, self.box), {"__slots__": ()})

    def __repr__(self) -> str:
        return f"<{self.__name__}>"

    def __dir__(self) -> list[str]:
        return sorted({*dir(self.raw), *RULES, *EXTENSIONS})

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return self.__dict__.setdefault(name, self._make(name))

    def _make(self, name: str) -> Any:
        if name in ("linalg", "fft"):
            table = importlib.import_module(f"portanet.tape.rules.{name}")
            return _Extension(self, name, table)
        if name in EXTENSIONS:
            rule, generic = EXTENSIONS[name]
            return self.primitive(name, functools.partial(generic, self.raw), rule)
        raw: Any = getattr(self.raw, name)
        if name in RULES:
            return self._of_library(name, raw, RULES[name])
        if name in COMPOSITES:
            return composite(self, name, self.kernels.get(name) or raw, COMPOSITES[name], raw)
        return self._without_rule(name, raw, CONSTANTS.get(name))

    def primitive(
        self,
        name: str,
        body: Callable[..., Any],
        rule: Rule,
        generic: Callable[..., Any] | None = None,
    ) -> Callable[..., Any]:
        """Return the recorded function `name`, computed by the native kernel if there is one."""
        compute = self.kernels.get(name, body)
        return Primitive(name, compute, rule, self, self.box, generic).function()

    def _of_library(self, name: str, raw: Callable[..., Any], rule: Rule) -> Callable[..., Any]:
        compute = self.kernels.get(name, raw)
        return Primitive(name, compute, rule, self, self.box, library=raw).function()

    def _without_rule(self, name: str, raw: Any, form: Form | None) -> Any:
        """Let a function without a rule serve plain arrays, and traced ones where it can."""
        if isinstance(raw, type) or not callable(raw):
            return raw
        if name in TYPES:
            return of_types(raw)
        return refusing(self, name, raw) if form is None else constant(self, name, raw, form)


class _Operators:
    """The functions behind ``+``, ``@``, … on boxes: the library's operators, not its functions."""

    def __init__(self, xp: Namespace) -> None:
        for name, function in _OPERATORS.items():
            if name in RULES:
                rule = RULES[name]
                primitive = Primitive(name, function, rule, xp, xp.box, library=function)
                function = primitive.function()
            else:
                function = constant(xp, name, function, CONSTANTS[name])
            setattr(self, name, function)


class _Constants:
    """The functions of a library as if nothing were being differentiated; batches stay batches."""

    def __init__(self, xp: Namespace) -> None:
        self._xp = xp

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        form = CONSTANTS.get(name)
        made = constant(self._xp, name, getattr(self._xp.raw, name), form)
        return self.__dict__.setdefault(name, made)


class _Extension:
    """``xp.linalg`` or ``xp.fft``: the functions shared with the main namespace are those of it."""

    def __init__(self, xp: Namespace, name: str, table: Any) -> None:
        self._xp = xp
        self._name = name
        self._table = table
        self._raw = getattr(xp.raw, name)

    def __dir__(self) -> list[str]:
        return dir(self._raw)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return self.__dict__.setdefault(name, self._make(name))

    def _make(self, name: str) -> Any:
        xp, table, full_name = self._xp, self._table, f"{self._name}.{name}"
        if name in table.EXTENSIONS:
            rule, generic = table.EXTENSIONS[name]
            return xp.primitive(full_name, functools.partial(generic, xp), rule)
        raw: Any = getattr(self._raw, name)
        if name in table.RULES:
            rule = table.RULES[name]
            if isinstance(rule, Several):
                return bundled(full_name, xp.kernels.get(full_name) or raw, rule, xp)
            return xp._of_library(full_name, raw, rule)
        if name in table.COMPOSITES:
            compute = xp.kernels.get(full_name) or raw
            return composite(xp, full_name, compute, table.COMPOSITES[name], raw)
        if name in RULES or name in COMPOSITES:
            return getattr(xp, name)
        return xp._without_rule(full_name, raw, table.CONSTANTS.get(name))
