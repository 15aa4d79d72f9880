"""The text of values: variables, constants and what is static, within expressions."""

from __future__ import annotations

import keyword
import re
from collections.abc import Iterable
from typing import Any

import numpy as np

from portanet.errors import ArgumentError
from portanet.export._sizes import Counted, Repeated, Size
from portanet.export._words import ATOM, Expression
from portanet.functional.spatial.geometry import Geometry
from portanet.functional.spatial.patch_products import Cut
from portanet.tracing.program import Variable

_WRITTEN_OUT = 4  # entries of a constant that stands in the text itself


class Values:
    """What values are called.

    Parameters
    ----------
    known : dict
        What to call arrays, by the identity of whose memory they show.
    taken : iterable of str
        Names that mean something else.

    Attributes
    ----------
    constants : dict
        What the names of arrays are.
    names : dict
        Those of variables.
    expressions : dict
        The expressions of variables that have no name.
    """

    def __init__(self, known: dict[int, str], taken: Iterable[str]) -> None:
        self.constants: dict[str, np.ndarray] = {}
        self.names: dict[Variable, str] = {}
        self.expressions: dict[Variable, Expression] = {}
        self._known = known
        self._taken = frozenset(taken)
        self._constant_names: dict[Any, str] = {}

    def operand(self, x: Any, loosest: int = ATOM) -> str:
        """Return the text of an argument, in parentheses if it is looser than `loosest`."""
        if isinstance(x, Variable) and x in self.expressions:
            found = self.expressions[x]
            return found.text if found.level <= loosest else f"({found.text})"
        text = self.argument(x)
        loose = isinstance(x, Size | Counted) and not text.isidentifier()
        return f"({text})" if loose or text.startswith("-") else text

    def argument(self, x: Any) -> str:
        """Return the text of an argument between the commas of a call."""
        if isinstance(x, Variable):
            return self.expressions[x].text if x in self.expressions else self.names[x]
        if isinstance(x, Size):
            return str(x)
        if isinstance(x, Repeated):
            return f"np.broadcast_to({self.argument(x.array)}, {self.argument(x.shape)})"
        if isinstance(x, Counted):
            return self._counted(x)
        if type(x) in (tuple, list):
            if any(isinstance(part, slice) for part in x):
                return f"np.s_[{self.subscript(x)}]"
            parts = ", ".join(map(self.argument, x))
            return f"[{parts}]" if type(x) is list else f"({parts}{',' * (len(x) == 1)})"
        return self._static(x)

    def subscript(self, key: Any) -> str:
        """Return the text of an index between brackets."""
        if type(key) is tuple:
            return ", ".join(map(self._place, key)) + "," * (len(key) == 1)
        return self._place(key)

    def _place(self, part: Any) -> str:
        if not isinstance(part, slice):
            return self.argument(part)
        step = 1 if part.step is None else part.step
        ends = [part.start, part.stop, *([] if step == 1 else [step])]
        return ":".join("" if x is None else self.argument(x) for x in ends)

    def _static(self, x: Any) -> str:
        if isinstance(x, slice):
            return f"np.s_[{self._place(x)}]"
        if isinstance(x, np.ndarray | np.generic):
            return self._constant(np.asarray(x))
        if isinstance(x, Geometry):
            return f"{x.window}, {x.stride}, {x.dilation}, {x.padding}"
        if isinstance(x, Cut):
            return ", ".join(map(repr, x))
        if isinstance(x, np.dtype):
            return f"np.{x.name}"
        if x is ...:
            return "..."
        if isinstance(x, float) and not np.isfinite(x):
            return "np.nan" if x != x else f"{'-' * (x < 0)}np.inf"
        if x is None or isinstance(x, bool | int | float | complex | str):
            return repr(x)
        raise ArgumentError(f"what is exported calls NumPy with {x!r}, which has no text")

    def _counted(self, x: Counted) -> str:
        text = f"np.arange({x.size}, dtype={self.argument(x.start.dtype)})"
        if x.start.ndim > 1:
            text = f"{text}.reshape({self.argument(x.places)})"
        if np.any(x.step != 1):
            text = f"{self._uniform(x.step)} * {text}"
        return f"{self._uniform(x.start)} + {text}" if np.any(x.start) else text

    def _uniform(self, x: np.ndarray) -> str:
        """Return the text of an array, which may be that of a number."""
        return repr(x.item()) if x.size == 1 else self._constant(x)

    def _constant(self, x: np.ndarray) -> str:
        if x.dtype.kind not in "biufc":
            raise ArgumentError(
                f"constants are numbers NumPy stores by itself: found an array of {x.dtype}"
            )
        if not x.shape and np.isfinite(x):
            return f"np.{x.dtype.name}({x.item()!r})"
        key = id(x) if x.shape else (x.dtype.str, x.tobytes())
        name = self._constant_names.get(key)
        if name is None:
            name = self._free_name(self._known.get(id(_memory(x)), ""))
            self._constant_names[key] = name
            self.constants[name] = x
        return name

    def _free_name(self, wanted: str) -> str:
        """Return a name for a constant that no other has, the wanted one if it may be."""
        base = re.sub(r"\W+", "_", wanted).strip("_")
        if keyword.iskeyword(base) or is_ours(base):
            base = f"c_{base}" if base else f"c{len(self.constants) + 1}"
        name, count = base, 2
        while name in self.constants or name in self._taken:
            name, count = f"{base}_{count}", count + 1
        return name


def is_ours(name: str) -> bool:
    """Whether the text may use a name for what it calculates."""
    return re.fullmatch(r"[civ]\d*|n|np", name) is not None or not name.isidentifier()


def _memory(x: np.ndarray) -> Any:
    while isinstance(x.base, np.ndarray):
        x = x.base
    return x


def written_out(x: np.ndarray) -> str | None:
    """Return a small constant as text, None if it is better kept in a file."""
    if x.size > _WRITTEN_OUT or not np.all(np.isfinite(x)):
        return None
    shape = "" if x.size else f".reshape({x.shape})"
    return f"np.array({x.tolist()!r}, np.{x.dtype.name}){shape}"
