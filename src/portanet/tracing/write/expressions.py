"""The expressions in a replay's source: constants, operands and calls."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any

import numpy as np

from portanet.checks import LARGEST
from portanet.tracing.plan.blocks import BlockLoop
from portanet.tracing.plan.form import NumPy
from portanet.tracing.program import Operation, Variable, variables


class Numbers:
    """What ``{number:1.0}`` in a form becomes: an array, which costs less than a number."""

    def __init__(self, expressions: Expressions, dtype: Any) -> None:
        self.expressions = expressions
        self.dtype = dtype

    def __format__(self, text: str) -> str:
        return self.expressions.constant(np.asarray(float(text), self.dtype))


class Filled:
    """What ``{ones:3,1}`` in a form becomes: an array of that shape with one number all over."""

    def __init__(self, expressions: Expressions, dtype: Any, number: float) -> None:
        self.expressions = expressions
        self.dtype = dtype
        self.number = number

    def __format__(self, text: str) -> str:
        shape = tuple(map(int, text.split(",")))
        return self.expressions.constant(_filled(shape, self.number, self.dtype))


@lru_cache(maxsize=256)
def _filled(shape: tuple[int, ...], number: float, dtype: Any) -> np.ndarray:
    return np.full(shape, number, dtype)


class Lower:
    """What ``{lower:3,4,0}`` in a form becomes: the mask of what lies up to a diagonal."""

    def __init__(self, expressions: Expressions) -> None:
        self.expressions = expressions

    def __format__(self, text: str) -> str:
        return self.expressions.constant(_lower(*map(int, text.split(","))))


@lru_cache(maxsize=256)
def _lower(n: int, m: int, k: int) -> np.ndarray:
    return np.tri(n, m, k, np.bool_)


class Expressions:
    """Names what operations read, and writes their calls.

    Parameters
    ----------
    forms : bool
        Whether the arrays are those of NumPy.

    Attributes
    ----------
    constants : dict
        What the names of constants stand for.
    functions : dict
        The names of the functions of NumPy, each with its path there.
    """

    def __init__(self, forms: bool) -> None:
        self.forms = forms
        self.functions: dict[str, str] = {}
        self._numpy = NumPy(self.function)
        self.constants: dict[str, Any] = {}
        self._constant_names: dict[Any, str] = {}

    def function(self, path: str) -> str:
        """Return the name of a function of NumPy: looked up once, not in each call."""
        name = path.replace(".", "_")
        self.functions[name] = path
        return name

    def _call(
        self, operation: Operation, names: dict[Variable, str], loop: BlockLoop | None = None
    ) -> str:
        """Return the call of the primitive's own function, but for its last parenthesis."""
        operands = [self._operand(x, names, loop) for x in operation.args]
        options = [f"{k}={self._operand(x, names, loop)}" for k, x in operation.options.items()]
        return f"{self.constant(operation.primitive.compute)}({', '.join([*operands, *options])}"

    def _operand(self, x: Any, names: dict[Variable, str], loop: BlockLoop | None = None) -> str:
        if isinstance(x, Variable):
            return names[x]
        if type(x) in (tuple, list) and any(True for _ in variables(x)):
            parts = "".join(f"{self._operand(part, names, loop)}, " for part in x)
            return f"({parts})" if type(x) is tuple else f"[{parts}]"
        if loop is not None and isinstance(x, np.ndarray) and loop.is_cut(x):
            return f"{self.constant(x)}[k]"
        return self.constant(x)

    def constant(self, x: Any) -> str:
        if x is None or type(x) is bool or _is_short(x) or (type(x) is float and np.isfinite(x)):
            return repr(x)
        if type(x) is tuple and all(map(_is_short, x)):
            return repr(x)
        key: Any = id(x)
        if isinstance(x, np.ndarray) and not x.shape:
            key = x.dtype.str, x.tobytes()
        if key not in self._constant_names:
            self._constant_names[key] = f"c{len(self.constants)}"
            self.constants[self._constant_names[key]] = x
        return self._constant_names[key]


def _is_short(x: Any) -> bool:
    """Whether it is an integer that source text holds: Python writes no more than 4300 digits."""
    return type(x) is int and -LARGEST <= x <= LARGEST


def seen(memory: str, variable: Variable, shape: tuple[int, ...], start: int = 0) -> str:
    """Return how bytes from `start` on are seen as an array like a variable."""
    dtype = np.dtype(variable.dtype)
    end = start + math.prod(shape) * dtype.itemsize
    cut = f"[{start}:{end}]" if start else f"[:{end}]"
    return f"{memory}{cut}.view({dtype.str!r}).reshape({shape!r})"
