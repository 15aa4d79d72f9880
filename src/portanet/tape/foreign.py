"""The namespace that a traced array shows to foreign libraries: what comes out of it is at home.

They build arrays with it, compare, and bring all of that together again, sure that it is of one
namespace. So each plain array among its results is a guest. The namespace itself gives plain
arrays where nothing is traced, which costs nothing.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from portanet.tape.box import Box, taken_out
from portanet.tape.guests import adopted

_EXTENSIONS = frozenset({"fft", "linalg", "special"})
_VIEWS = frozenset({"asarray", "from_dlpack", "broadcast_to", "broadcast_arrays", "meshgrid"})
_CREATION = frozenset(
    {
        "arange", "empty", "empty_like", "eye", "full", "full_like", "linspace", "ones",
        "ones_like", "tril", "triu", "zeros", "zeros_like",
    }
)  # fmt: skip


class Foreign:
    """A traced namespace, or an extension of one, all of whose results are of it.

    Parameters
    ----------
    xp : Namespace
    home : namespace, optional
        Where its functions are: by default in `xp`.
    """

    def __init__(self, xp: Any, home: Any = None) -> None:
        self._xp = xp
        self._home = xp if home is None else home
        self.__name__ = xp.__name__

    def __repr__(self) -> str:
        return f"<{self.__name__} as a foreign library sees it>"

    def __dir__(self) -> list[str]:
        return dir(self._home)

    @property
    def __array_api_version__(self) -> str:
        return self._xp.__array_api_version__

    def __array_namespace_info__(self) -> Any:
        return self._xp.__array_namespace_info__()

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return self.__dict__.setdefault(name, self._make(name))

    def _make(self, name: str) -> Any:
        xp, member = self._xp, getattr(self._home, name)
        if self._home is xp and name in _EXTENSIONS:
            return Foreign(xp, member)
        if isinstance(member, type) or not callable(member):
            return member

        creates = name in _CREATION
        looks_inside = creates or name in _VIEWS

        @functools.wraps(member)
        def function(*args: Any, **options: Any) -> Any:
            if looks_inside:
                args = tuple(map(taken_out, args))
            result = member(*args, **options)
            if isinstance(result, Box):
                return result
            return adopted(xp, result, creates or options.get("copy") is True)

        return _for_arrays(function) if name == "asarray" else function


def _for_arrays(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return ``asarray`` as it is asked for most: of what is an array already, and nothing else."""

    @functools.wraps(function)
    def asarray(x: Any, *args: Any, **options: Any) -> Any:
        if isinstance(x, Box) and not args and all(value is None for value in options.values()):
            return x
        return function(x, *args, **options)

    return asarray
