"""Boxes: the arrays that a traced function sees."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any, NoReturn

from portanet.errors import TracedValueError


class Box:
    """An array on its way through a trace: a value, the trace, and the trace's note on it.

    The note is the recorded call in reverse mode and a tangent in forward mode. The value may
    itself be a box of an enclosing trace. Each array library has its own subclass, made by its
    namespace, which holds that namespace as ``xp``.
    """

    __slots__ = ()

    value: Any
    owner: Any
    note: Any
    xp: Any
    lifted = False
    guest = False
    settled: Any = None  # of an array that may be written into, the class once it may not
    recorded = False
    of_list: Any = None  # makes an array of a list beside it, as NumPy does, and not the standard
    __array_priority__ = 1000.0
    __pandas_priority__ = 10_000

    def __init__(self, value: Any, trace: Any, note: Any) -> None:
        self.value = value
        self.owner = trace
        self.note = note

    @property
    def shape(self) -> tuple[int, ...]:
        return self.value.shape

    @property
    def dtype(self) -> Any:
        return self.value.dtype

    @property
    def ndim(self) -> int:
        return self.value.ndim

    @property
    def size(self) -> int:
        return self.value.size

    @property
    def device(self) -> Any:
        return getattr(self.value, "device", None)

    @property
    def T(self) -> Any:
        return self.xp.permute_dims(self, tuple(range(self.ndim))[::-1])

    @property
    def mT(self) -> Any:
        return self.xp.matrix_transpose(self)

    @property
    def real(self) -> Any:
        return self.xp.real(self)

    @property
    def imag(self) -> Any:
        return self.xp.imag(self)

    def to_device(self, device: Any, /, *, stream: Any = None) -> Box:
        if device == self.device:
            return self
        raise TracedValueError("a traced array cannot change its device: move the inputs instead")

    @classmethod
    def takes(cls, function: Any) -> bool:
        """Whether a function of the library, not of the standard, asks these boxes what to do."""
        return False

    def entry(self, plain: Any) -> Any:
        """Return what this box shows of the plain array inside it."""
        return plain

    def __array_namespace__(self, /, *, api_version: str | None = None) -> Any:
        x = self
        while isinstance(x, Box):
            x.owner.asked = True
            x = x.value
        return self.xp.foreign

    def __getitem__(self, key: Any) -> Any:
        return self.xp.getitem(self, seen(key))

    def __len__(self) -> int:
        return len(self.value)

    def __iter__(self) -> Any:
        if self.ndim == 0:
            raise TypeError("iteration over a 0-d array")
        return (self[i] for i in range(self.shape[0]))

    def __bool__(self) -> bool:
        return bool(self.value)

    def __hash__(self) -> int:
        return id(self)

    def __repr__(self) -> str:
        return f"Traced({self.value!r})"

    __str__ = __repr__

    def _refuse_conversion(self, *_: Any, **__: Any) -> NoReturn:
        raise TracedValueError(
            "a traced array has no concrete value here: float(), int(), item(), tolist() and "
            "conversion to another library would lose its derivative. Keep it an array, build "
            "arrays of it with xp.stack, or take it out of the derivative with has_aux=True"
        )

    __float__ = __int__ = __complex__ = __index__ = __array__ = __dlpack__ = _refuse_conversion
    item = tolist = _refuse_conversion

    def _refuse_mutation(self, *_: Any, **__: Any) -> NoReturn:
        raise TracedValueError(
            "a traced array cannot be written in place: build the new array with xp.where, "
            "xp.concat, xp.stack or pn.functional.at(x)[index].set(y) instead. Only a result of "
            "its own memory can, which is no argument, no view and has none"
        )

    __setitem__ = __delitem__ = _refuse_mutation

    def become(self, result: Any, what: str) -> None:
        """Get the value and the note of a result of the same trace, for all names of this array."""
        if not (isinstance(result, Box) and result.owner is self.owner):
            raise TracedValueError(
                f"{what}: the result is not of the derivative, batch or recording that the array "
                "is in, so that it cannot be written into it: give it a new name"
            )
        self.value, self.note = result.value, result.note


SEQUENCES = (list, tuple)
MAY_HOLD_GUESTS = (Box, list, tuple)


def settle(x: Box) -> None:
    """Let nobody write into an array any more: something else holds it, or looks at its memory."""
    if x.settled is not None:
        x.__class__ = x.settled


class Key(Box):
    """An index with traced arrays among its parts: a box, so that their innermost trace sees it."""

    __slots__ = ("note", "owner", "value")

    guest = True  # one of its parts may be one


def seen(key: Any) -> Any:
    """Return an index as a trace can see it."""
    if type(key) is tuple:
        traces = [part.owner for part in key if isinstance(part, Box)]
        if traces:
            return Key(key, max(traces, key=lambda trace: trace.level), None)
    return key


def taken_out(x: Any) -> Any:
    """Return the array inside a guest, also of those in a list or an index; others as they are.

    A list of which nothing is a guest is returned itself.
    """
    if isinstance(x, Box):
        if not x.guest:
            return x
        return seen(taken_out(x.value)) if type(x) is Key else taken_out(x.value)
    if isinstance(x, SEQUENCES):
        for place, part in enumerate(x):
            if isinstance(part, MAY_HOLD_GUESTS) and getattr(part, "guest", True):
                parts = [*x[:place], *map(taken_out, x[place:])]
                if any(map(operator.is_not, parts, x)):
                    return getattr(type(x), "_make", type(x))(parts)
                break
    return x


def _binary(name: str) -> tuple[Callable[..., Any], Callable[..., Any]]:
    def forward(self: Box, other: Any) -> Any:
        return getattr(self.xp.operators, name)(self, other)

    def reflected(self: Box, other: Any) -> Any:
        return getattr(self.xp.operators, name)(other, self)

    return forward, reflected


def _unary(name: str) -> Callable[[Box], Any]:
    def method(self: Box) -> Any:
        return getattr(self.xp, name)(self)

    return method


_ARITHMETIC = {
    "add": "add",
    "sub": "subtract",
    "mul": "multiply",
    "truediv": "divide",
    "floordiv": "floor_divide",
    "mod": "remainder",
    "pow": "pow",
    "matmul": "matmul",
}

for _symbol, _name in _ARITHMETIC.items():
    _forward, _reflected = _binary(_name)
    setattr(Box, f"__{_symbol}__", _forward)
    setattr(Box, f"__r{_symbol}__", _reflected)

for _symbol, _name in {"neg": "negative", "pos": "positive", "abs": "abs"}.items():
    setattr(Box, f"__{_symbol}__", _unary(_name))


def set_arithmetic(box: type[Box], operators: Any) -> None:
    """Make the functions of `operators` the operators of a box class, without a look-up a call."""
    for symbol, name in _ARITHMETIC.items():
        function = getattr(operators, name)
        setattr(box, f"__{symbol}__", function)
        setattr(box, f"__r{symbol}__", lambda self, other, f=function: f(other, self))


def strip(x: Any) -> Any:
    """Return `x` without its derivatives: the plain array inside the boxes, or a lifted one."""
    while isinstance(x, Box):
        inner = x.value
        if x.lifted:
            bare = strip(inner)
            return x if bare is inner else (x.settled or type(x))(bare, x.owner, None)
        x = inner
    return x


def detached(x: Any) -> Any:
    """Return `x` as a constant, for the traces around it and for those to come.

    In the body of a loop that is an operation: the body is differentiated later.
    """
    bare = x = strip(x)
    while isinstance(x, Box):
        if x.owner.keeps_rules:
            return bare.xp.detach(bare)
        x = x.value
    return bare


def device_of(x: Any) -> Any:
    """Return the device of an array, None where its library hides it, as JAX does while tracing."""
    return getattr(x, "device", None)


def at_hand(x: Any) -> Any:
    """Return the plain array of this run inside any boxes; of a batch, its first entry."""
    return x.entry(at_hand(x.value)) if isinstance(x, Box) else x


def _comparison(compare: Callable[[Any, Any], Any]) -> Callable[[Box, Any], Any]:
    def method(self: Box, other: Any) -> Any:
        answer = compare(strip(self), strip(other))
        return self.xp.at_home(answer) if self.owner.asked else answer

    return method


for _symbol in ("eq", "ne", "lt", "le", "gt", "ge"):
    setattr(Box, f"__{_symbol}__", _comparison(getattr(operator, _symbol)))
