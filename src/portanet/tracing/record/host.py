"""Values of the host that change between calls: counters, hyperparameters and random keys."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any, NoReturn

from portanet.errors import TracedValueError
from portanet.random import Key
from portanet.tracing.program import HostFunction, Operation, Variable

KEPT = (
    "an array or a key of a function inside pn.jit was kept and used after the call: return it "
    "instead"
)


class Counter(int):
    """An integer that counts calls: unlike other integers it is no constant for `jit`."""

    __slots__ = ()

    def __add__(self, other: int) -> Counter:
        return Counter(int(self) + other)


class Varying(float):
    """A number that differs from call to call: unlike other floats it is no constant for `jit`.

    To array libraries it is no Python float, but one of 64 bits: it is for jitted functions alone,
    which get a `RecordedNumber` in its place.
    """

    __slots__ = ()


class RecordedNumber:
    """A Python number that has another value in each call, such as the count of steps."""

    __slots__ = ("owner", "value", "variable")

    recorded = True
    __array_ufunc__ = None

    def __jax_array__(self) -> Any:
        return self.owner.number(self)

    @classmethod
    def __torch_function__(cls, function: Any, types: Any, args: Any = (), options: Any = None):
        given = [x.owner.number(x, bare=True) if isinstance(x, cls) else x for x in args]
        return function(*given, **(options or {}))

    def __init__(self, value: Any, trace: Any, variable: Variable) -> None:
        self.value = value
        self.owner = trace
        self.variable = variable

    def __repr__(self) -> str:
        return f"RecordedNumber({self.value!r})"

    def _refuse(self, *_: Any) -> NoReturn:
        raise TracedValueError(
            "a counter or a hyperparameter inside pn.jit has another value in each call: it "
            "cannot decide a branch, be a size or go through math; calculate with it by +, -, *, "
            "/ and **"
        )

    __bool__ = __float__ = __int__ = __index__ = __complex__ = __hash__ = _refuse
    __eq__ = __ne__ = __lt__ = __le__ = __gt__ = __ge__ = _refuse

    def __neg__(self) -> Any:
        return _calculate(self.owner, _NEGATIVE, self)

    def given_to(self, function: Callable[[Any], Any]) -> RecordedNumber:
        """Return ``float(function(number))``; each replay calls it with its own number."""
        variable = self.owner.host(_APPLICATION, [function, self.variable])
        return RecordedNumber(float(function(self.value)), self.owner, variable)


_NEGATIVE = HostFunction("neg", operator.neg, "-{0}")
_CONVERSION = HostFunction("float", float, "float({0})")
_APPLICATION = HostFunction("number", lambda f, x: float(f(x)), "float({0}({1}))")


def recorded_number(x: Any, trace: Any, variable: Variable) -> RecordedNumber:
    """Return the stand-in for a number among the inputs of a function."""
    if isinstance(x, Varying):
        return RecordedNumber(float(x), trace, trace.host(_CONVERSION, [variable]))
    return RecordedNumber(x, trace, variable)


def _binary(name: str, symbol: str) -> tuple[Callable[..., Any], Callable[..., Any]]:
    function = HostFunction(name, getattr(operator, name), f"({{0}}) {symbol} {{1}}")

    def forward(self: RecordedNumber, other: Any) -> Any:
        return _calculate(self.owner, function, self, other)

    def reflected(self: RecordedNumber, other: Any) -> Any:
        return _calculate(self.owner, function, other, self)

    return forward, reflected


def _calculate(trace: Any, function: HostFunction, *args: Any) -> Any:
    if not all(isinstance(x, RecordedNumber | int | float) for x in args):
        return NotImplemented
    values = [x.value if isinstance(x, RecordedNumber) else x for x in args]
    operands = [x.variable if isinstance(x, RecordedNumber) else x for x in args]
    variable = trace.host(function, operands)
    return RecordedNumber(function.compute(*values), trace, variable)


for _name, _symbol in {
    "add": "+", "sub": "-", "mul": "*", "truediv": "/", "pow": "**", "floordiv": "//", "mod": "%",
}.items():  # fmt: skip
    _forward, _reflected = _binary(_name, _symbol)
    setattr(RecordedNumber, f"__{_name}__", _forward)
    setattr(RecordedNumber, f"__r{_name}__", _reflected)


class RecordedKey(Key):
    """A random key that is another one in each call."""

    __slots__ = ("owner", "variable")

    recorded = True

    def __init__(self, key: Key, trace: Any, variable: Variable) -> None:
        super().__init__(key.words)
        object.__setattr__(self, "owner", trace)
        object.__setattr__(self, "variable", variable)

    def _child(self, label: bytes) -> Key:
        function = HostFunction(f"key {label!r}", Key._child, "{0}._child({1})")
        variable = self.owner.host(function, [self.variable, label])
        return RecordedKey(super()._child(label), self.owner, variable)

    def draw(self, backend: Any, name: str, shape: tuple[int, ...], like: Any) -> Any:
        return self.owner.draw(self, backend, name, shape, like)


def draw_operation(
    key: RecordedKey, backend: Any, name: str, shape: tuple[int, ...], like: Any, device: Any = None
) -> tuple[Operation, Any]:
    """Return the operation that draws random numbers, and those of this run.

    `device` is where to draw if `like` has none.
    """
    device = backend.device_of(like) or device
    sample = backend.xp.empty(0, dtype=like.dtype, device=device)
    compute = getattr(backend, name)
    values = compute(key.words, shape, sample)
    function = HostFunction(name, _drawn, "{1}({0}.words, {2}, {3})")
    result = Variable(values.shape, values.dtype)
    return Operation(function, [key.variable, compute, shape, sample], {}, result), values


def _drawn(key: Key, draw: Callable[..., Any], shape: tuple[int, ...], sample: Any) -> Any:
    return draw(key.words, shape, sample)
