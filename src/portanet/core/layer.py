"""The layer: an immutable description of a function with explicit parameters and states."""

from __future__ import annotations

import dataclasses
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from portanet.core import display


class Layer(ABC):
    """The base of every layer: hyperparameters, and three methods.

    A layer holds no arrays. It says how to draw its parameters and states, and what it computes
    when they are handed to it. Write one as a frozen dataclass: its fields are the
    hyperparameters, by which it is compared, hashed and printed.

    Examples
    --------
    A layer that multiplies by one trainable number and counts its calls:

    >>> from dataclasses import dataclass
    >>> import numpy as np
    >>> import portanet as pn
    >>> @dataclass(frozen=True)
    ... class Gain(pn.Layer):
    ...     start: float = 1.0
    ...     def initial_parameters(self, rng):
    ...         return {"gain": np.full((), self.start, np.float32)}
    ...     def initial_states(self, rng):
    ...         return {"calls": 0}
    ...     def __call__(self, x, ps, st):
    ...         return ps["gain"] * x, {"calls": st["calls"] + 1}
    >>> model = Gain(3.0)
    >>> ps, st = pn.setup(0, model)
    >>> y, st = model(np.ones(2, np.float32), ps, st)
    >>> y, st
    (array([3., 3.], dtype=float32), {'calls': 1})
    >>> model
    Gain(3.0)
    """

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        # A dataclass keeps the methods it finds in the class itself and overrides inherited ones.
        for method in ("__repr__", "__hash__"):
            if method not in vars(cls):
                setattr(cls, method, getattr(cls, method))

    def initial_parameters(self, rng: np.random.Generator) -> dict[str, Any]:
        """Draw the trainable parameters: a dict of float32 NumPy arrays, or of such dicts."""
        return {}

    def initial_states(self, rng: np.random.Generator) -> dict[str, Any]:
        """Draw the states: what a call may change, but no optimizer does.

        An entry ``"training"`` is a bool that `train_mode` and `test_mode` replace.
        """
        return {}

    @abstractmethod
    def __call__(self, x: Any, ps: Any, st: Any) -> tuple[Any, Any]:
        """Return the output for `x`, and the new states with the same entries as `st`."""

    def output_shape(self, input_shape: Any) -> tuple[int, ...] | None:
        """Return the shape of the output without its batch axis, or None to have it tried out.

        A hook for `portanet.output_shape`, which runs the layer on zeros unless the layer knows
        the answer.
        """
        return None

    def children(self) -> Mapping[str, Layer]:
        """Return the layers inside this one, by the names of their parameters and states."""
        return {}

    @property
    def display_name(self) -> str:
        """The name under which the layer is printed."""
        return type(self).__name__

    def arguments(self) -> list[display.Argument]:
        """Return the constructor arguments to print: those that differ from their defaults.

        Fields are printed by position, keyword-only fields and those after an omitted one by name.
        A layer with a constructor of its own overrides this.
        """
        return display.dataclass_arguments(self)

    def __rshift__(self, other: Layer | Callable[..., Any]) -> Layer:
        return _composed(self, other)

    def __rrshift__(self, other: Callable[..., Any]) -> Layer:
        return _composed(other, self)

    def __repr__(self) -> str:
        return display.constructor_call(self)

    def __str__(self) -> str:
        return display.tree(self)

    def __hash__(self) -> int:
        if not dataclasses.is_dataclass(self):
            return object.__hash__(self)
        compared = (field.name for field in dataclasses.fields(self) if field.compare)
        return hash((type(self), *(_hashable(getattr(self, name)) for name in compared)))


def _hashable(value: Any) -> Any:
    if isinstance(value, Mapping):
        return frozenset((key, _hashable(entry)) for key, entry in value.items())
    if isinstance(value, list | tuple):
        return tuple(map(_hashable, value))
    return value


def _composed(first: Any, second: Any) -> Layer:
    if not (callable(first) and callable(second)):
        return NotImplemented
    from portanet.layers.containers import compose  # Chain stands above the contract

    return compose(first, second)
