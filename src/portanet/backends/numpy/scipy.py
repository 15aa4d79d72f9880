"""SciPy's functions that are written for NumPy's arrays alone, on traced arrays.

The universal functions among SciPy's ask a traced array by NumPy's protocol, and what is written
on the standard asks for its namespace. A few others turn their argument into an array first, and
ask nobody. Those are taught, in place, to look for traced arrays among their arguments; for all
others they do what they did.
"""

from __future__ import annotations

import functools
import importlib
import inspect
import sys
import types
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from portanet import trees
from portanet.tape import Box
from portanet.tape.numpy import (
    scipy_fft,
    scipy_filter,
    scipy_functions,
    scipy_odeint,
    scipy_series,
)
from portanet.tape.numpy.refusals import raise_refusal
from portanet.tracing.call.lock import LongLock

_FUNCTIONS: Mapping[str, Mapping[str, Callable[..., Any]]] = {
    "scipy.special": scipy_functions.FUNCTIONS,
    "scipy.fft._realtransforms_backend": scipy_fft.FUNCTIONS,
    "scipy.integrate._odepack_py": {"odeint": scipy_odeint.odeint},
    "scipy.integrate._quadrature": {"simpson": scipy_series.simpson},
    "scipy.signal._signaltools": {
        "detrend": scipy_series.detrend,
        "lfilter": scipy_filter.lfilter,
    },
}
"""The bodies by the modules of the functions."""

_lock = LongLock()


def register() -> None:
    """Teach the functions of SciPy's modules that are imported, each once in a process."""
    for name in _FUNCTIONS:
        if name in sys.modules:
            with _lock:
                _teach_all(name)


@functools.cache
def _teach_all(name: str) -> None:
    module = importlib.import_module(name)
    for function_name, body in _FUNCTIONS[name].items():
        function = inspect.unwrap(getattr(module, function_name))
        if isinstance(function, types.FunctionType) and not function.__closure__:
            _teach(function, body)


def _entrance(*args: Any, _choose: Any, **options: Any) -> Any:
    return _choose(*args, **options)


def is_taught(function: Any) -> bool:
    """Whether a function takes traced arrays because it was taught to."""
    return getattr(function, "__code__", None) is _entrance.__code__


def _among(arguments: Iterable[Any]) -> Any:
    """Return a traced array among arguments, or None."""
    return next((x for x in arguments if isinstance(x, Box)), None)


def _inside(arguments: Iterable[Any]) -> Any:
    """Return a traced array among arguments, or in any tree that is one, or None."""
    return _among(leaf for x in arguments for leaf in trees.leaves(x))


_OF_TREES = frozenset({scipy_odeint.odeint})
"""Those that take arrays in nested arguments; to others a list is an array, and may be long."""


def _teach(function: Any, body: Callable[..., Any]) -> None:
    """Let `function` hand calls with traced arrays to `body`."""
    own = types.FunctionType(
        function.__code__, function.__globals__, function.__name__, function.__defaults__
    )
    own.__kwdefaults__ = function.__kwdefaults__
    rooms = [room for room in function.__module__.split(".") if not room.startswith("_")]
    name = ".".join((*rooms, function.__name__))

    find = _inside if body in _OF_TREES else _among

    def choose(*args: Any, **options: Any) -> Any:
        box = find((*args, *options.values()))
        if box is None:
            return own(*args, **options)
        try:
            return body(box.xp, *args, **options)
        except Exception as error:
            raise_refusal(name, own, error, args, options)

    function.__signature__ = inspect.signature(function)
    function.__kwdefaults__ = {"_choose": choose}
    function.__code__ = _entrance.__code__
    function.__defaults__ = None
