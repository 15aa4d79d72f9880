"""Reverse derivatives written by the user."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from portanet.autodiff.custom import Custom, Results, pair
from portanet.autodiff.flat import zeros_for_missing
from portanet.autodiff.layout import Layout
from portanet.errors import ArgumentError
from portanet.interface import Backend
from portanet.tape import Operation


class custom_vjp(Custom):
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

    def _operation(self, backend: Backend, results: Results) -> Operation:
        assert self._rule is not None
        forward, backward = self._rule
        call = results.call
        residuals: Any = None

        def run(*arrays: Any) -> tuple[list[Any], list[Any]]:
            nonlocal residuals
            outcome = forward(*call.join(arrays), **call.options)
            value, kept = pair(outcome, f"{self._name}: forward", "(value, residuals)")
            outputs = results.split(value)
            layout = Layout.of_arrays(backend, kept)
            residuals = layout
            return outputs, layout.arrays(kept)

        def vjp(arrays: Any, outputs: Any, kept: Any, cotangents: list[Any]) -> list[Any]:
            seeds = zeros_for_missing(backend, cotangents, outputs)
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
                return zeros_for_missing(backend, parts, arrays)

            zeros = [backend.xp.zeros_like(outputs[i]) for i in smooth]
            transposed = backend.vjp(pulled, zeros)[1](tangents)
            parts: list[Any] = [None] * len(outputs)
            for i, t in zip(smooth, transposed, strict=True):
                parts[i] = t
            return parts

        return Operation(self._name, results.value, run, vjp, jvp)
