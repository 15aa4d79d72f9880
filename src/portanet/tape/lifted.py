"""Lifted arrays: boxes that stand for other values than the one at hand.

A derivative leaves conditions and indices as they are. A batch, which stands for many values, and
a recording, which stands for those of later calls, must see them too: comparisons and functions
without a derivative stay inside such a trace.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NoReturn

from portanet.errors import TracedValueError
from portanet.tape.box import Box


class Lifted(Box):
    """The half of a box class whose conditions are arrays and whose value cannot be read.

    A subclass says why in `no_condition` and `no_value`.
    """

    __slots__ = ()

    lifted = True
    no_condition: str
    no_value: str

    def __bool__(self) -> bool:
        raise TracedValueError(self.no_condition)

    def __invert__(self) -> Any:
        return self.xp.operators.bitwise_invert(self)

    def _refuse_conversion(self, *_: Any, **__: Any) -> NoReturn:
        raise TracedValueError(self.no_value)

    __float__ = __int__ = __complex__ = __index__ = __array__ = __dlpack__ = _refuse_conversion
    item = tolist = _refuse_conversion


def _binary(name: str) -> tuple[Callable[..., Any], Callable[..., Any]]:
    def forward(self: Lifted, other: Any) -> Any:
        return getattr(self.xp.operators, name)(self, other)

    def reflected(self: Lifted, other: Any) -> Any:
        return getattr(self.xp.operators, name)(other, self)

    return forward, reflected


for _symbol, _name in {
    "eq": "equal",
    "ne": "not_equal",
    "lt": "less",
    "le": "less_equal",
    "gt": "greater",
    "ge": "greater_equal",
}.items():
    setattr(Lifted, f"__{_symbol}__", _binary(_name)[0])

for _symbol, _name in {
    "and": "bitwise_and",
    "or": "bitwise_or",
    "xor": "bitwise_xor",
    "lshift": "bitwise_left_shift",
    "rshift": "bitwise_right_shift",
}.items():
    _forward, _reflected = _binary(_name)
    setattr(Lifted, f"__{_symbol}__", _forward)
    setattr(Lifted, f"__r{_symbol}__", _reflected)

Lifted.__hash__ = Box.__hash__
