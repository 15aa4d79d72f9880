"""Words: an elementwise operation as one C++ expression, as CUDA and a host compiler read it.

``{0}``, ``{1}``, … are numbers of the operands' dtypes, ``{type}`` the type in which the result is
calculated. An expression gives NumPy's answers, also of NaN, infinities and signed overflow, which
has no meaning in C++: hence ``portanet_bits``, the widest unsigned integer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

FLOATS = frozenset(("float16", "float32", "float64"))

MAXIMUM = """
template <typename T> __device__ T portanet_maximum(T a, T b) {
    return a >= b || a != a ? a : b;
}"""
MINIMUM = """
template <typename T> __device__ T portanet_minimum(T a, T b) {
    return a <= b || a != a ? a : b;
}"""


@dataclass(frozen=True, slots=True)
class Spoken:
    """The words of one call: an expression, the operands in it, and the dtypes these must have."""

    text: str
    args: Sequence[Any]
    dtypes: Sequence[str]


@dataclass(frozen=True, slots=True)
class Fold:
    """A reduction of floating-point numbers in C++: two partial results are joined to one.

    Parameters
    ----------
    text : str
        ``{0}`` and ``{1}`` joined. The order does not matter, up to rounding.
    start : str
        What changes nothing when it is joined.
    end : str
        The result of all, ``{0}``, of ``{count}`` numbers.
    helpers : tuple of str
        Functions that the expressions call, one by one: two kinds may call the same.
    """

    text: str
    start: str
    end: str = "{0}"
    helpers: tuple[str, ...] = ()


@dataclass(frozen=True)
class Words:
    """The expressions of an operation on operands of one dtype.

    Parameters
    ----------
    floats, integers, logic : str, optional
        For operands and a result of one floating-point dtype, one of integers, booleans.
    compared : str, optional
        For operands of any one dtype, with a boolean result.
    tested : str, optional
        For floating-point operands, with a boolean result.
    helpers : tuple of str
        Functions that the expressions call, one by one: two kinds may call the same.
    several : bool
        Whether the libraries do it by more than one kernel of theirs, so that one of ours pays
        for a single operation too.
    """

    floats: str | None = None
    integers: str | None = None
    logic: str | None = None
    compared: str | None = None
    tested: str | None = None
    helpers: tuple[str, ...] = ()
    several: bool = False

    options: ClassVar[frozenset[str]] = frozenset()
    """The options of a call of which the words know."""

    def of(self, args: Sequence[Any], dtypes: Sequence[str | None], result: str) -> Spoken | None:
        """Return the words of a call, None where C++ has none that give NumPy's answer.

        `dtypes` are those of the arguments, None for what is no array; `result` is the result's.
        """
        own = _common(dtypes)
        text = None if own is None else self._expression(own, result)
        return None if own is None or text is None else Spoken(text, args, [own] * len(args))

    def _expression(self, own: str, result: str) -> str | None:
        if own == result and own != "bool":
            return self.floats if own in FLOATS else self.integers
        if result != "bool":
            return None
        if own == "bool" and self.logic is not None:
            return self.logic
        return self.tested if own in FLOATS and self.tested is not None else self.compared


def _common(dtypes: Sequence[str | None]) -> str | None:
    """Return the one dtype of all arrays, None if there are several or none."""
    own = {dtype for dtype in dtypes if dtype is not None}
    return own.pop() if len(own) == 1 else None


@dataclass(frozen=True)
class OfFirst(Words):
    """One expression whatever the dtypes, of the first operand; others only say a dtype."""

    text: str = "{0}"
    options = frozenset({"dtype"})

    def of(self, args: Sequence[Any], dtypes: Sequence[str | None], result: str) -> Spoken | None:
        return None if dtypes[0] is None else Spoken(self.text, args[:1], [dtypes[0]])


@dataclass(frozen=True)
class Chosen(Words):
    """The words of ``where``."""

    def of(self, args: Sequence[Any], dtypes: Sequence[str | None], result: str) -> Spoken | None:
        return Spoken("{0} ? {1} : {2}", args, ["bool", result, result])


@dataclass(frozen=True)
class Clipped(Words):
    """The words of ``clip``, of whose bounds either may be missing."""

    helpers: tuple[str, ...] = (MAXIMUM, MINIMUM)
    several: bool = True

    def of(self, args: Sequence[Any], dtypes: Sequence[str | None], result: str) -> Spoken | None:
        text, given, own = "{0}", [args[0]], _common(dtypes)
        for name, bound in zip(("maximum", "minimum"), args[1:], strict=False):
            if bound is not None:
                text = f"portanet_{name}({text}, {{{len(given)}}})"
                given.append(bound)
        return None if own is None else Spoken(text, given, [own] * len(given))
