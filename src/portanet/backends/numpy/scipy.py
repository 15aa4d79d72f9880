"""SciPy's special functions that are written in Python, on traced arrays.

The universal functions among SciPy's ask a traced array by NumPy's protocol. A few others turn
their argument into an array first, and ask nobody. Those are taught, in place, to look for traced
arrays among their arguments; for all others they do what they did.
"""

from __future__ import annotations

import functools
import importlib
import inspect
import types
from collections.abc import Callable
from typing import Any

from portanet.tape import Box
from portanet.tape.numpy.scipy_functions import FUNCTIONS
from portanet.tracing.call.lock import LongLock

_lock = LongLock()


def register() -> None:
    """Teach SciPy's functions, once in a process."""
    with _lock:
        _teach_all()


@functools.cache
def _teach_all() -> None:
    special = importlib.import_module("scipy.special")
    for name, body in FUNCTIONS.items():
        function = inspect.unwrap(getattr(special, name))
        if isinstance(function, types.FunctionType) and not function.__closure__:
            _teach(function, body)


def _entrance(*args: Any, _choose: Any, **options: Any) -> Any:
    return _choose(*args, **options)


def _teach(function: Any, body: Callable[..., Any]) -> None:
    """Let `function` hand calls with traced arrays to `body`."""
    own = types.FunctionType(
        function.__code__, function.__globals__, function.__name__, function.__defaults__
    )
    own.__kwdefaults__ = function.__kwdefaults__

    def choose(*args: Any, **options: Any) -> Any:
        for x in (*args, *options.values()):
            if isinstance(x, Box):
                return body(x.xp, *args, **options)
        return own(*args, **options)

    function.__signature__ = inspect.signature(function)
    function.__kwdefaults__ = {"_choose": choose}
    function.__code__ = _entrance.__code__
    function.__defaults__ = None
