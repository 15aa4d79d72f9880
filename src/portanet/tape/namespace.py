"""The traced namespace: an Array API namespace that accepts plain and traced arrays alike."""

from __future__ import annotations

import functools
import operator
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from portanet.once import once
from portanet.tape.batched import Batched
from portanet.tape.box import Box, set_arithmetic
from portanet.tape.bundle import Several, bundled
from portanet.tape.calls import composite, constant, of_types, refusing
from portanet.tape.foreign import Foreign
from portanet.tape.guests import Guest, adopted
from portanet.tape.in_place import set_in_place
from portanet.tape.operands import Operands
from portanet.tape.ops.card import UNKNOWN, Card
from portanet.tape.ops.table import CARDS, COMPOSITES, TYPES, card_of
from portanet.tape.primitive import Primitive
from portanet.tape.rule import Constant

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
        own = {"__slots__": ("note", "owner", "value", "taken"), "xp": self}
        self.box: type[Box] = type(f"{name}_{box.__name__}", (box,), own)
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

    @once
    def detach(self) -> Callable[[Any], Any]:
        """The function that makes constants: what a program to be differentiated keeps of them."""
        return self.primitive(CARDS["detach"], _same, _same)

    @once
    def guest_box(self) -> type[Box]:
        """The class of plain arrays among traced ones."""
        return type(f"Guest_{self.box.__name__}", (Guest, self.box), {"__slots__": ()})

    @once
    def foreign(self) -> Foreign:
        """The namespace that its arrays show to foreign libraries."""
        return Foreign(self)

    @once
    def _arrays(self) -> tuple[type, ...]:
        array = type(self.raw.empty(0))
        return (array, np.generic) if array is np.ndarray else (array,)

    def at_home(self, x: Any) -> Any:
        """Return a plain result as an array of this namespace."""
        return adopted(self, x, own_memory=True)

    def is_plain(self, x: Any) -> bool:
        """Whether `x` is an array of the library, and no traced one; a number of NumPy is."""
        return isinstance(x, self._arrays)

    @property
    def __array_api_version__(self) -> str:
        return self.raw.__array_api_version__

    def __array_namespace_info__(self) -> Any:
        """Return what the library says of its dtypes and devices."""
        return self.raw.__array_namespace_info__()

    def __repr__(self) -> str:
        return f"<{self.__name__}>"

    def __dir__(self) -> list[str]:
        own = (name for name, card in CARDS.items() if card.body is not None and "." not in name)
        return sorted({*dir(self.raw), *own})

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return self.__dict__.setdefault(name, self._make(name))

    def _make(self, name: str) -> Any:
        if name in ("linalg", "fft"):
            return _Extension(self, name)
        card = card_of(name)
        if card.body is not None:
            return self.primitive(card, functools.partial(card.body, self.raw))
        return self._of_library(card, getattr(self.raw, name))

    def primitive(
        self, card: Card, body: Callable[..., Any], generic: Callable[..., Any] | None = None
    ) -> Callable[..., Any]:
        """Return the recorded function of a card, computed by a native kernel if there is one."""
        compute = self.kernels.get(card.name, body)
        return Primitive(card, compute, self, self.box, generic).function()

    def _of_library(self, card: Card, raw: Any) -> Any:
        """Let a function of the library take traced arrays too, as far as its card knows how."""
        name = card.name
        compute = self.kernels.get(name) or raw
        if name in COMPOSITES:
            return composite(self, name, compute, COMPOSITES[name], raw)
        if isinstance(raw, type) or not callable(raw):
            return raw
        if name in TYPES:
            return of_types(raw)
        if card.rule is UNKNOWN:
            return raw if self.box.takes(raw) else refusing(self, card, raw)
        if isinstance(card.rule, Constant):
            return constant(self, card, raw, card.rule.signature)
        if isinstance(card.rule, Several):
            return bundled(card, compute, self)
        return Primitive(card, compute, self, self.box, library=raw).function()


def _has(name: str) -> bool:
    return name in CARDS or name in COMPOSITES


def _same(x: Any) -> Any:
    return x


class _Operators:
    """The functions behind ``+``, ``@``, … on boxes: the library's operators, not its functions."""

    def __init__(self, xp: Namespace) -> None:
        for name, function in _OPERATORS.items():
            card = CARDS[name]
            if isinstance(card.rule, Constant):
                function = constant(xp, card, function, card.rule.signature)
            else:
                function = Primitive(card, function, xp, xp.box, library=function).function()
            setattr(self, name, function)


class _Constants:
    """The functions of a library as if nothing were being differentiated; batches stay batches."""

    def __init__(self, xp: Namespace) -> None:
        self._xp = xp

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        card = card_of(name)
        signature = card.rule.signature if isinstance(card.rule, Constant) else None
        made = constant(self._xp, card, getattr(self._xp.raw, name), signature)
        return self.__dict__.setdefault(name, made)


class _Extension:
    """``xp.linalg`` or ``xp.fft``: the functions shared with the main namespace are those of it."""

    def __init__(self, xp: Namespace, name: str) -> None:
        self._xp = xp
        self._name = name
        self._raw = getattr(xp.raw, name)

    def __dir__(self) -> list[str]:
        return dir(self._raw)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return self.__dict__.setdefault(name, self._make(name))

    def _make(self, name: str) -> Any:
        xp, full_name = self._xp, f"{self._name}.{name}"
        card = card_of(full_name)
        if card.body is not None:
            return xp.primitive(card, functools.partial(card.body, xp))
        raw: Any = getattr(self._raw, name)
        if not _has(full_name) and _has(name):
            return getattr(xp, name)
        return xp._of_library(card, raw)
