"""A model bound to its parameters and states."""

from __future__ import annotations

from typing import Any

from portanet import core, trees
from portanet.core import Layer
from portanet.errors import ArgumentError, HyperparameterError, shown
from portanet.functional import stop_gradient
from portanet.tracing.call.hoist import is_recorded


class StatefulModel:
    """A model that carries its parameters and states, and returns only its output.

    It is mutable by design: each call replaces the states by the new ones. The trees that it was
    made with are not changed.

    Parameters
    ----------
    model : Layer
        The model.
    ps, st : tree
        Its parameters and states, as `setup` made them.

    Attributes
    ----------
    model : Layer
        The model.
    parameters, states : tree
        What the next call uses. Both may be assigned.

    Raises
    ------
    HyperparameterError
        If `model` is no layer.
    ArgumentError
        By a call within `jit` that would change the states.

    Notes
    -----
    Inside a derivative the call is differentiated like the model itself. The states that it stores
    are plain arrays: no trace outlives its derivative, and no derivative flows through the states
    from one call to the next. A function that needs that, or that runs in several threads, calls
    the model itself.

    Examples
    --------
    >>> import numpy as np
    >>> import portanet as pn
    >>> model = pn.Chain(pn.Dense(2, 3, pn.tanh), pn.Dense(3, 1))
    >>> bound = pn.StatefulModel(model, *pn.setup(0, model))
    >>> x = np.ones((4, 2), np.float32)
    >>> bound(x).shape
    (4, 1)
    >>> gradient = pn.grad(lambda ps: np.sum(bound(x, ps)))(bound.parameters)
    >>> gradient["layer_2"]["bias"]
    array([4.], dtype=float32)
    """

    changes_when_called = True

    def __init__(self, model: Layer, ps: Any, st: Any) -> None:
        if not isinstance(model, Layer):
            raise HyperparameterError(
                f"StatefulModel: model is a portanet.Layer: got {shown(model)}"
            )
        self.model = model
        self.parameters = ps
        self.states = st

    def __call__(self, x: Any, ps: Any = None) -> Any:
        """Return the output for `x`, with `ps` in place of the stored parameters if given."""
        y, states = self.model(x, self.parameters if ps is None else ps, self.states)
        if not _differ(states, self.states):
            return y
        if is_recorded():
            raise ArgumentError(
                "StatefulModel: its states change in this call, which no replay can do: give "
                "pn.jit its model, with parameters and states as arguments, or put it into test "
                "mode"
            )
        self.states = trees.map_leaves(_constant, states)
        return y

    def train_mode(self) -> StatefulModel:
        """Put the stored states into train mode; return the model itself."""
        self.states = core.train_mode(self.states)
        return self

    def test_mode(self) -> StatefulModel:
        """Put the stored states into test mode; return the model itself."""
        self.states = core.test_mode(self.states)
        return self

    def __repr__(self) -> str:
        return f"StatefulModel({self.model!r})"

    def __str__(self) -> str:
        return f"StatefulModel({self.model})"


def _differ(states: Any, others: Any) -> bool:
    """Whether a tree has other leaves than another one."""
    one, other = trees.leaves(states), trees.leaves(others)
    return len(one) != len(other) or any(x is not y for x, y in zip(one, other, strict=True))


def _constant(leaf: Any) -> Any:
    """Return a state without its derivative; modes, counters and keys are no arrays."""
    return stop_gradient(leaf) if hasattr(leaf, "dtype") else leaf
