"""Forms: the source text of single operations.

``{0}``, ``{1}``, … are the operands, ``{out}`` the result, ``{np.add}`` a function of NumPy, and
``{call}`` the call of the primitive's own function up to its last parenthesis. What a form computes
is what that function does, also of infinities and NaN.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True, slots=True)
class Form:
    """The source text of one operation.

    Parameters
    ----------
    write : str, optional
        A statement that fills ``{out}``.
    fresh : str, optional
        An expression that makes the result in new memory.
    view : str, optional
        An expression that looks at the memory of the first operand.
    elementwise : bool
        Whether ``{out}`` may be an operand of the same shape and dtype.
    rows : bool
        Whether each row of a result with as many rows, along the first axis, as the operands
        needs that row of them alone.
    """

    write: str | None = None
    fresh: str | None = None
    view: str | None = None
    elementwise: bool = False
    rows: bool = False


class NumPy:
    """What ``{np.add.reduce}`` in a form becomes: what `named` makes of ``"add.reduce"``."""

    def __init__(self, named: Callable[[str], str], path: str = "") -> None:
        self._named = named
        self._path = path

    def __getattr__(self, name: str) -> NumPy:
        return NumPy(self._named, f"{self._path}.{name}" if self._path else name)

    def __format__(self, text: str) -> str:
        return self._named(self._path)


def kind_of(x: Any) -> str:
    """Return the letter of the kind of an array's dtype, none for what is no array."""
    dtype = getattr(x, "dtype", None)
    return "" if dtype is None else np_dtype(dtype).kind


def np_dtype(dtype: Any) -> Any:
    """Return a dtype as one of NumPy, by its name where it is of another library."""
    try:
        return np.dtype(dtype)
    except TypeError:
        return np.dtype(str(dtype).rpartition(".")[2])
