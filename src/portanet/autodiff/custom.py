"""Derivatives written by the user: `custom_vjp` and `custom_jvp`."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

from portanet.autodiff.layout import Call, Layout, fitted, signature
from portanet.backends import Backend
from portanet.errors import ArgumentError, NoDerivativeError
from portanet.tape import Operation


class _Custom:
    """What both kinds share: how a call is taken apart and put together."""

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
        results = _Results(self._function, call)
        outputs = call.backend.custom(self._operation(call.backend, results), call.arrays)
        return results.layout.join(outputs)

    def _defined(self) -> bool:
        raise NotImplementedError

    def _operation(self, backend: Backend, results: _Results) -> Operation:
        raise NotImplementedError


class _Results:
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


class custom_vjp(_Custom):
    """A function with a reverse derivative of its own.

    The rule counts in every mode, order and nesting and on every backend. Forward mode is derived
    from it: ``backward`` is linear in the cotangent, and the transpose of that linear map is the
    forward derivative. A second derivative differentiates ``backward``, and ``forward`` as far as
    the residuals come from it; arguments and outputs among the residuals are themselves.

    Parameters
    ----------
    function : callable
        Takes and returns any trees. It is called where nothing is differentiated. Only
        floating-point arrays among its positional arguments have derivatives; integers, strings,
        None, functions and arrays of integers pass through, and so do keyword-only arguments.

    Raises
    ------
    TracedValueError
        On a call, if the function or its rule uses an array that is being differentiated but is
        not among the positional arguments: its derivative would be lost.
    ParameterTreeError, ShapeError, DTypeError
        When differentiated, if the rule returns something that does not fit the arguments.

    Examples
    --------
    >>> import numpy as np
    >>> import portanet as pn
    >>> @pn.custom_vjp
    ... def clip_gradient(x, limit):
    ...     return x
    >>> def forward(x, limit):
    ...     return x, limit
    >>> def backward(limit, cotangent):
    ...     return np.clip(cotangent, -limit, limit), None
    >>> clip_gradient.defvjp(forward, backward)
    >>> x = np.array([0.1, 5.0])
    >>> pn.grad(lambda x: (clip_gradient(x, 1.0) ** 2).sum())(x)
    array([0.2, 1. ])
    """

    _kind = "custom_vjp"
    _missing = "defvjp(forward, backward)"

    def __init__(self, function: Callable[..., Any]) -> None:
        super().__init__(function)
        self._rule: tuple[Callable[..., Any], Callable[..., Any]] | None = None

    def defvjp(self, forward: Callable[..., Any], backward: Callable[..., Any]) -> None:
        """Give the function its rule.

        Parameters
        ----------
        forward : callable
            Takes the arguments of the function and returns ``(value, residuals)``; the residuals
            are any tree.
        backward : callable
            ``backward(residuals, cotangent)`` returns a tuple with one cotangent a positional
            argument, each a tree like the argument. None stands for zero, for an argument or any
            part of one; what belongs to other things than floating-point arrays is not looked at.
            `cotangent` is a tree like the value with None in such places. It must be linear in
            `cotangent` if forward mode is wanted.
        """
        for role, given in (("forward", forward), ("backward", backward)):
            if not callable(given):
                raise ArgumentError(f"{self!r}: {role} is a function, not {type(given).__name__}")
        self._rule = forward, backward

    def _defined(self) -> bool:
        return self._rule is not None

    def _operation(self, backend: Backend, results: _Results) -> Operation:
        assert self._rule is not None
        forward, backward = self._rule
        call = results.call
        residuals: Any = None

        def run(*arrays: Any) -> tuple[list[Any], list[Any]]:
            nonlocal residuals
            outcome = forward(*call.join(arrays), **call.options)
            value, kept = _pair(outcome, f"{self._name}: forward", "(value, residuals)")
            outputs = results.split(value)
            layout = Layout.of_arrays(backend, kept)
            residuals = layout
            return outputs, layout.arrays(kept)

        def vjp(arrays: Any, outputs: Any, kept: Any, cotangents: list[Any]) -> list[Any]:
            seeds = _zeros_for_missing(backend, cotangents, outputs)
            found = backward(residuals.join(kept), results.layout.join_smooth(backend, seeds))
            if not isinstance(found, tuple | list) or len(found) != call.count:
                count = len(found) if isinstance(found, tuple | list) else type(found).__name__
                raise ArgumentError(
                    f"{self._name}: backward returns a tuple with one cotangent an argument: "
                    f"{count} != {call.count}"
                )
            like = call.join(arrays)
            return call.layout.fit(backend, like, tuple(found), f"{self._name}: cotangent")

        def jvp(arrays: Any, outputs: Any, kept: Any, tangents: list[Any]) -> list[Any]:
            smooth = [i for i, y in enumerate(outputs) if backend.is_floating(y.dtype)]

            def pulled(*seeds: Any) -> list[Any]:
                cotangents = [None] * len(outputs)
                for i, seed in zip(smooth, seeds, strict=True):
                    cotangents[i] = seed
                parts = vjp(arrays, outputs, kept, cotangents)
                return _zeros_for_missing(backend, parts, arrays)

            zeros = [backend.xp.zeros_like(outputs[i]) for i in smooth]
            transposed = backend.vjp(pulled, zeros)[1](tangents)
            parts: list[Any] = [None] * len(outputs)
            for i, t in zip(smooth, transposed, strict=True):
                parts[i] = t
            return parts

        return Operation(self._name, results.value, run, vjp, jvp)


class custom_jvp(_Custom):
    """A function with a forward derivative of its own.

    The rule counts in every mode, order and nesting and on every backend. Reverse mode is derived
    from it: the rule is linear in the tangents, and the tape of that linear map is its transpose.

    Parameters
    ----------
    function : callable
        As for `custom_vjp`.

    Raises
    ------
    TracedValueError, ParameterTreeError, ShapeError, DTypeError
        As for `custom_vjp`.

    Examples
    --------
    >>> import numpy as np
    >>> import portanet as pn
    >>> @pn.custom_jvp
    ... def safe_sqrt(x):
    ...     return np.sqrt(x)
    >>> @safe_sqrt.defjvp
    ... def rule(primals, tangents):
    ...     (x,), (dx,) = primals, tangents
    ...     y = safe_sqrt(x)
    ...     return y, np.where(x > 0, dx / np.where(x > 0, 2 * y, 1.0), 0.0)
    >>> pn.grad(lambda x: safe_sqrt(x).sum())(np.array([0.0, 4.0]))
    array([0.  , 0.25])
    """

    _kind = "custom_jvp"
    _missing = "defjvp(rule)"

    def __init__(self, function: Callable[..., Any]) -> None:
        super().__init__(function)
        self._rule: Callable[..., Any] | None = None

    def defjvp(self, rule: Callable[..., Any]) -> Callable[..., Any]:
        """Give the function its rule and return it, so that this is a decorator too.

        Parameters
        ----------
        rule : callable
            ``rule(primals, tangents)`` returns ``(value, tangent)``. `primals` are the positional
            arguments; `tangents` is a tuple of trees like them, with None in the place of all
            that is no floating-point array. `tangent` is a tree like the value; None stands for
            zero, also in any part of it. The rule is linear in the tangents.
        """
        if not callable(rule):
            raise ArgumentError(f"{self!r}: the rule is a function, not {type(rule).__name__}")
        self._rule = rule
        return rule

    def _defined(self) -> bool:
        return self._rule is not None

    def _operation(self, backend: Backend, results: _Results) -> Operation:
        assert self._rule is not None
        rule, call = self._rule, results.call

        def run(*arrays: Any) -> tuple[list[Any], list[Any]]:
            return results.value(*arrays), []

        def jvp(arrays: Any, outputs: Any, _: Any, tangents: Sequence[Any]) -> list[Any]:
            directions = _zeros_for_missing(backend, tangents, arrays)
            outcome = rule(
                call.join(arrays), call.layout.join_smooth(backend, directions), **call.options
            )
            value, tangent = _pair(outcome, f"{self._name}: the rule", "(value, tangent)")
            expected = results.layout.join(outputs)
            fitted(expected, value, f"{self._name}: value of the rule")
            return results.layout.fit(backend, expected, tangent, f"{self._name}: tangent")

        def vjp(arrays: Any, outputs: Any, _: Any, cotangents: list[Any]) -> list[Any]:
            def pushed(*tangents: Any) -> list[Any]:
                return _zeros_for_missing(backend, jvp(arrays, outputs, _, tangents), outputs)

            zeros = [backend.xp.zeros_like(x) for x in arrays]
            return backend.vjp(pushed, zeros)[1](cotangents)

        return Operation(self._name, results.value, run, vjp, jvp)


def _pair(outcome: Any, who: str, what: str) -> tuple[Any, Any]:
    if isinstance(outcome, tuple) and len(outcome) == 2:
        return outcome
    kind = f"a tuple of {len(outcome)}" if isinstance(outcome, tuple) else type(outcome).__name__
    raise ArgumentError(f"{who} returns {what}, not {kind}")


def _zeros_for_missing(backend: Backend, parts: Sequence[Any], like: Sequence[Any]) -> list[Any]:
    return [backend.xp.zeros_like(x) if p is None else p for p, x in zip(parts, like, strict=True)]
