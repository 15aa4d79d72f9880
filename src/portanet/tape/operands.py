"""What may stand beside a traced array: arrays and numbers of its library, and nothing else.

An object with labels, units or masks takes part in the arithmetic of its own class: what a trace
would hold is then no array, and its derivative is of something else. So it is refused by name.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from portanet.errors import BackendMismatchError
from portanet.once import once
from portanet.tape.box import Box


class Operands:
    """The operands that a library knows.

    Parameters
    ----------
    xp : namespace
        The traced namespace of the library.
    """

    def __init__(self, xp: Any) -> None:
        self._xp = xp
        self.known: set[type] = {bool, int, float, complex}
        """Types that need no look."""

    def check(self, x: Any) -> Any:
        """Return an operand as the library's functions take it; a list becomes an array."""
        if type(x) in self.known or isinstance(x, Box):
            return x
        if isinstance(x, list | tuple):
            of_list = self._xp.box.of_list
            return of_list(x) if of_list else x
        if self._is_foreign(x):
            self._refuse(x)
        self.known.add(type(x))
        return x

    def array(self, x: Any) -> Any:
        """Return an operand as an array where the library takes a number for one."""
        x = self.check(x)
        return self._xp.asarray(x) if self.takes_lists and not hasattr(x, "ndim") else x

    @once
    def takes_lists(self) -> bool:
        """Whether the library takes a list or a number where the standard has an array."""
        try:
            self._xp.raw.add(self._xp.raw.ones(1), [1.0])
        except (TypeError, ValueError):
            return False
        return True

    def _is_foreign(self, x: Any) -> bool:
        own = type(self._xp.raw.empty(0))
        if isinstance(x, own):  # a subclass with an arithmetic of its own: a matrix, a mask, a unit
            names = ("__mul__", "__array_ufunc__")
            return any(getattr(type(x), n, None) is not getattr(own, n, None) for n in names)
        holds_arrays = hasattr(type(x), "__array__") or hasattr(type(x), "toarray")
        return holds_arrays and _roots(type(x)).isdisjoint(_roots(own) | {"portanet", "numpy"})

    def _refuse(self, x: Any) -> None:
        kind = type(x)
        values = next((f"x.{n}()" for n in ("to_numpy", "toarray") if hasattr(kind, n)), None)
        if values is None:
            values = "x.filled(0)" if isinstance(x, np.ma.MaskedArray) else "np.asarray(x)"
        raise BackendMismatchError(
            f"{kind.__module__.partition('.')[0]}.{kind.__name__} beside a traced array of "
            f"{self._xp.library}: the result would be no array that can be differentiated. "
            f"Give its values: {values}"
        )


def _roots(kind: type) -> set[str]:
    return {base.__module__.partition(".")[0] for base in kind.__mro__} - {"builtins", "typing"}
