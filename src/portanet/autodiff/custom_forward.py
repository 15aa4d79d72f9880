"""Forward derivatives written by the user."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from portanet.autodiff.custom import Custom, Results, pair
from portanet.autodiff.flat import zeros_for_missing
from portanet.autodiff.layout import fitted
from portanet.errors import ArgumentError
from portanet.interface import Backend
from portanet.tape import Operation


class custom_jvp(Custom):
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

    def _operation(self, backend: Backend, results: Results) -> Operation:
        assert self._rule is not None
        rule, call = self._rule, results.call

        def run(*arrays: Any) -> tuple[list[Any], list[Any]]:
            return results.value(*arrays), []

        def jvp(arrays: Any, outputs: Any, _: Any, tangents: Sequence[Any]) -> list[Any]:
            directions = zeros_for_missing(backend, tangents, arrays)
            outcome = rule(
                call.join(arrays), call.layout.join_smooth(backend, directions), **call.options
            )
            value, tangent = pair(outcome, f"{self._name}: the rule", "(value, tangent)")
            expected = results.layout.join(outputs)
            fitted(expected, value, f"{self._name}: value of the rule")
            return results.layout.fit(backend, expected, tangent, f"{self._name}: tangent")

        def vjp(arrays: Any, outputs: Any, _: Any, cotangents: list[Any]) -> list[Any]:
            def pushed(*tangents: Any) -> list[Any]:
                return zeros_for_missing(backend, jvp(arrays, outputs, _, tangents), outputs)

            zeros = [backend.xp.zeros_like(x) for x in arrays]
            return backend.vjp(pushed, zeros)[1](cotangents)

        return Operation(self._name, results.value, run, vjp, jvp)
