"""Plain functions as layers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from portanet import checks
from portanet.core.layer import Layer
from portanet.errors import HyperparameterError, shown


@dataclass(frozen=True)
class WrappedFunction(Layer):
    r"""A function without parameters, as a layer: :math:`y = f(x)`.

    A `Chain` wraps the functions that it is given; it is seldom needed to do so by hand.

    Parameters
    ----------
    function : callable
        A function of one argument.

    Notes
    -----
    No parameters and no states.

    Raises
    ------
    HyperparameterError
        If `function` cannot be called.

    Examples
    --------
    >>> import numpy as np
    >>> import portanet as pn
    >>> y, st = pn.WrappedFunction(np.square)(np.asarray([1.0, 3.0]), {}, {})
    >>> y
    array([1., 9.])
    """

    function: Callable[[Any], Any]

    def __post_init__(self) -> None:
        checks.functions(self, "function")

    def __call__(self, x: Any, ps: Any, st: Any) -> tuple[Any, Any]:
        return self.function(x), st


def as_layer(value: Any, owner: str) -> Layer:
    """Return `value` if it is a layer, and a function as a `WrappedFunction`."""
    if isinstance(value, Layer):
        return value
    if isinstance(value, type) and issubclass(value, Layer):
        raise HyperparameterError(
            f"{owner}: every part is a layer or a function: got the class {value.__name__}: "
            f"call it with its sizes"
        )
    if not callable(value):
        raise HyperparameterError(
            f"{owner}: every part is a layer or a function: got {shown(value)}"
        )
    return WrappedFunction(value)
