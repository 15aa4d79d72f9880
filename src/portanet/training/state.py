"""The state of a training run."""

from __future__ import annotations

import html
import operator
from collections.abc import Callable
from dataclasses import dataclass
from numbers import Integral
from typing import Any

from portanet import optimizers, trees
from portanet.core import Layer, parameter_count, state_count
from portanet.errors import ArgumentError, HyperparameterError, shown
from portanet.optimizers import OptimizerState, Rule
from portanet.plots.table import table
from portanet.trees import Tree, register_tree


@dataclass(frozen=True, eq=False, repr=False)
class TrainState:
    """A model with its parameters, states, optimizer and count of steps.

    Immutable: every function of `portanet.training` returns another one. As a registered tree its
    children are the parameters, the states and the state of the optimizer, so
    ``device((ts, x, y))`` moves a training run.

    Parameters
    ----------
    model : Layer
        The model.
    parameters, states : tree
        What ``pn.setup(rng, model)`` returned.
    optimizer : Rule
        The rule of the updates, such as ``pn.optimizers.Adam(0.001)``.
    optimizer_state : OptimizerState, optional
        The state of a run that is taken up again. Made by ``pn.optimizers.setup`` by default.
    step : int, default 0
        The number of updates so far.

    Raises
    ------
    HyperparameterError
        If `optimizer` is not a rule.

    Examples
    --------
    >>> import numpy as np
    >>> import portanet as pn
    >>> model = pn.Dense(2, 1)
    >>> ps, st = pn.setup(np.random.default_rng(0), model)
    >>> ts = pn.training.TrainState(model, ps, st, pn.optimizers.SGD(0.1))
    >>> ts.step
    0
    """

    model: Any
    parameters: Tree
    states: Tree
    optimizer: Rule
    optimizer_state: OptimizerState | None = None
    step: int = 0

    def __post_init__(self) -> None:
        if not callable(self.model) or isinstance(self.model, type):
            raise HyperparameterError(
                f"TrainState: model is a layer, such as pn.Dense(2, 3): got {shown(self.model)}"
            )
        if isinstance(self.step, bool) or not isinstance(self.step, Integral) or self.step < 0:
            raise HyperparameterError(
                f"TrainState: step is an integer >= 0: got {shown(self.step)}"
            )
        if not isinstance(self.optimizer_state, OptimizerState | None):
            raise HyperparameterError(
                "TrainState: optimizer_state is what pn.optimizers.setup(rule, ps) returned: got "
                f"{shown(self.optimizer_state)}"
            )
        if self.optimizer_state is None:
            state = optimizers.setup(self.optimizer, self.parameters)
            object.__setattr__(self, "optimizer_state", state)

    def __getattr__(self, name: str) -> Any:
        """Make the fields of a state that is kept flat, when they are first asked for."""
        flat = self.__dict__.get("flat")
        if name in ("parameters", "optimizer_state") and "ended" in self.__dict__:
            raise ArgumentError(
                f"ts.{name} was given to train_step(..., donate=True): go on with the state that "
                f"it returned"
            )
        if flat is None or name not in ("parameters", "optimizer_state"):
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        value = self.__dict__[name] = flat.shown(name, self.__dict__)
        self.__dict__[f"shown {name}"] = tuple(trees.leaves(value))
        return value

    def is_as_shown(self) -> bool:
        """Whether nobody has put anything else into the trees made of a state that is kept flat."""
        fields = self.__dict__
        for name in ("parameters", "optimizer_state"):
            if name in fields:
                leaves, shown = trees.leaves(fields[name]), fields[f"shown {name}"]
                if len(leaves) != len(shown) or any(map(operator.is_not, leaves, shown)):
                    return False
        return True

    def __getstate__(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in TrainState.__dataclass_fields__}

    def replaced(self, **changes: Any) -> TrainState:
        """Return this state with other fields, which are taken as they are."""
        own = self.__dict__
        fields = self.__getstate__() if "flat" in own or "ended" in own else own
        other = object.__new__(TrainState)
        object.__setattr__(other, "__dict__", {**fields, **changes})
        return other

    def to_state_dict(self) -> dict[str, Any]:
        """Return all that training changes, as a tree: what `portanet.io` keeps in a file."""
        names = ("parameters", "states", "optimizer_state", "step")
        return {name: getattr(self, name) for name in names}

    def from_state_dict(self, state: dict[str, Any]) -> TrainState:
        """Return this state with what `to_state_dict` gave; the model and the optimizer stay."""
        return self.replaced(**state)

    def end(self) -> None:
        """Forget the parameters and the optimizer's state, whose memory others have taken."""
        for name in ("flat", "vector", "rule_state", "parameters", "optimizer_state"):
            self.__dict__.pop(name, None)
        self.__dict__["ended"] = True

    def with_rule(self, change: Callable[[Any], Any]) -> Any:
        """Return this state with its one rule changed, None if it is not kept flat."""
        flat = self.__dict__.get("flat")
        if flat is None or isinstance(flat.rule, tuple):
            return None
        flat = flat.with_rule(change(flat.rule))
        if flat is None:
            return None
        other = object.__new__(TrainState)
        other.__dict__.update(self.__dict__, flat=flat)
        other.__dict__.pop("optimizer_state", None)
        return other

    def __str__(self) -> str:
        model = str(self.model).replace("\n", "\n    ")
        return "\n".join(
            (
                "TrainState",
                f"    model: {model}",
                f"    parameters: {parameter_count(self.parameters)}",
                f"    states: {state_count(self.states)}",
                f"    optimizer: {self.optimizer}",
                f"    step: {self.step}",
            )
        )

    __repr__ = __str__

    def _repr_html_(self) -> str:
        rule, model = html.escape(str(self.optimizer)), self.model
        shown = model._repr_html_() if isinstance(model, Layer) else html.escape(str(model))
        return (
            f"{shown}{table(self.parameters)._repr_html_()}"
            f"<div>optimizer: {rule}, step: {self.step}</div>"
        )


del TrainState.optimizer_state  # the default, which would be found in the place of `__getattr__`


def check_state(ts: Any) -> None:
    """Raise `ArgumentError` unless `ts` is a training state."""
    if type(ts) is not TrainState:
        raise ArgumentError(
            f"ts is a TrainState, as from TrainState(model, ps, st, rule): got {shown(ts)}"
        )


register_tree(TrainState, static=("model", "optimizer", "step"))
