"""What `custom_vjp` and `custom_jvp` share: how a call is taken apart and put together."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from portanet.autodiff.layout import Call, Layout, signature
from portanet.errors import ArgumentError, NoDerivativeError
from portanet.interface import Backend
from portanet.tape import Operation


class Custom:
    """A function with a derivative written by the user."""

    def __init__(self, function: Callable[..., Any]) -> None:
        if not callable(function):
            raise ArgumentError(f"{self._kind} takes a function, not {type(function).__name__}")
        functools.update_wrapper(self, function)
        self._function = function
        self._signature = signature(function)
        self._name = getattr(function, "__name__", repr(function))

    _kind = ""
    _missing = ""

    def __repr__(self) -> str:
        return f"{self._kind}({self._name})"

    def __call__(self, *args: Any, **options: Any) -> Any:
        if not self._defined():
            raise NoDerivativeError(f"{self!r} has no rule yet: give it one with {self._missing}")
        call = Call(self._signature, args, options)
        if call.backend is None:
            return self._function(*call.join([]), **call.options)
        results = Results(self._function, call)
        outputs = call.backend.custom(self._operation(call.backend, results), call.arrays)
        return results.layout.join(outputs)

    def _defined(self) -> bool:
        raise NotImplementedError

    def _operation(self, backend: Backend, results: Results) -> Operation:
        raise NotImplementedError


class Results:
    """One call of a function, and the layout of what it returned when it last ran."""

    def __init__(self, function: Callable[..., Any], call: Call) -> None:
        self.function = function
        self.call = call
        self.layout: Any = None

    def value(self, *arrays: Any) -> list[Any]:
        return self.split(self.function(*self.call.join(arrays), **self.call.options))

    def split(self, tree: Any) -> list[Any]:
        self.layout = Layout.of_arrays(self.call.backend, tree)
        return self.layout.arrays(tree)


def pair(outcome: Any, who: str, what: str) -> tuple[Any, Any]:
    if isinstance(outcome, tuple) and len(outcome) == 2:
        return outcome
    kind = f"a tuple of {len(outcome)}" if isinstance(outcome, tuple) else type(outcome).__name__
    raise ArgumentError(f"{who} returns {what}, not {kind}")
