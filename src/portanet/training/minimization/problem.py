"""A loss as a function of one vector: the parameters of a training state that are trained."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from portanet import trees
from portanet.autodiff.gradients import evaluate
from portanet.errors import ArgumentError, DTypeError, ParameterTreeError, shown
from portanet.interface import array_namespace, backend_of, dtype_name, same_dtype
from portanet.optimizers.complex_parts import as_given, as_real
from portanet.optimizers.state import dotted_paths, flatten_entries
from portanet.training.advice import REFUSALS, raise_with_advice
from portanet.training.known.recorded import Recorded
from portanet.training.state import TrainState, check_state
from portanet.training.steps.gradients import check_loss, checked
from portanet.trees import Tree

Array = Any


@dataclass(frozen=True)
class Trained:
    """Which entries of a tree of parameters a vector holds, one behind the other.

    Frozen parameters and what no optimizer trains stay out. A complex array is there by its real
    and imaginary parts.
    """

    places: tuple[int, ...]
    shapes: tuple[tuple[int, ...], ...]

    @classmethod
    def of(cls, ts: TrainState) -> Trained:
        """Return the trained entries of a training state, which are of one dtype."""
        leaves, structure = flatten_entries(ts.parameters)
        state = ts.optimizer_state
        assert state is not None
        rows = enumerate(zip(state.rules, state.frozen, strict=True))
        places = tuple(place for place, (rule, frozen) in rows if rule is not None and not frozen)
        if not places:
            raise ParameterTreeError("ts has a parameter to train: all are frozen, or no arrays")
        arrays = [as_real(leaves[place]) for place in places]
        array_namespace(*arrays)
        for place, x in zip(places, arrays, strict=True):
            if not same_dtype(x, arrays[0]):
                paths = dotted_paths(structure)
                raise DTypeError(
                    f"one dtype for all trained parameters: {paths[place]!r} is {dtype_name(x)} "
                    f"and {paths[places[0]]!r} is {dtype_name(arrays[0])}: convert them with "
                    f'pn.astype(ps, "{dtype_name(arrays[0])}")'
                )
        return cls(places, tuple(tuple(x.shape) for x in arrays))

    def vector(self, parameters: Tree) -> Array:
        """Return the trained entries as one vector."""
        leaves = flatten_entries(parameters)[0]
        arrays = [as_real(leaves[place]) for place in self.places]
        xp = array_namespace(*arrays)
        return xp.concat([xp.reshape(x, (-1,)) for x in arrays])

    def put(self, parameters: Tree, vector: Array) -> Tree:
        """Return the parameters with the entries of `vector` in their places."""
        leaves, structure = flatten_entries(parameters)
        xp, start = array_namespace(vector), 0
        for place, shape in zip(self.places, self.shapes, strict=True):
            stop = start + math.prod(shape)
            parts = xp.reshape(vector[start:stop], shape)
            leaves[place] = as_given(parts, leaves[place])
            start = stop
        return trees.unflatten(structure, leaves)


@dataclass(frozen=True)
class FlatLoss:
    """A loss as a function of the vector of the trained parameters.

    Parameters
    ----------
    loss : callable
        ``loss(model, ps, st, data)``.
    model : any
    trained : Trained
        Which parameters are in the vector.
    verb : str
        Whom messages name.
    """

    loss: Any
    model: Any
    trained: Trained
    verb: str

    def __call__(self, vector: Array, parameters: Tree, states: Tree, data: Any) -> Any:
        """Return what the loss returns for the parameters in a vector."""
        return self.loss(self.model, self.trained.put(parameters, vector), states, data)

    def value_and_gradient(
        self, vector: Array, parameters: Tree, states: Tree, data: Any
    ) -> tuple[Array, Array, Tree]:
        """Return the loss, its gradient with respect to the vector, and the new states."""

        def objective(vector: Array) -> Any:
            value, new_states, _ = checked(self(vector, parameters, states, data))
            return value, new_states

        (value, new_states), gradient = evaluate(objective, vector, "parameters", True, None)
        return value, gradient, new_states


class Problem:
    """A training state, a loss and its data, and how functions of them are run.

    Attributes
    ----------
    start : array
        The trained parameters as a vector.
    """

    def __init__(self, ts: TrainState, loss: Any, data: Any, jit: bool | None, verb: str) -> None:
        check_state(ts)
        check_loss(loss, f"{verb}: ")
        if not (jit is None or type(jit) is bool):
            raise ArgumentError(f"{verb}: jit is True, False or None: got {shown(jit)}")
        self.ts, self.data = ts, data
        self.loss = FlatLoss(loss, ts.model, Trained.of(ts), verb)
        self.start = self.loss.trained.vector(ts.parameters)
        backend = backend_of(self.start)
        able = backend.jit != "none" and not backend.compiles_slowly
        self.recorded = able if jit is None else jit and backend.jit != "none"

    def runner(self, make: Callable[..., Any], *options: Any) -> Callable[..., Any]:
        """Return a function of some arrays, to which the fixed inputs of the loss are added.

        ``make(flat_loss, *options)`` is a function of ``(*arrays, parameters, states, data)``, and
        recorded where that pays, once for equal losses and models.
        """
        fixed = self.ts.parameters, self.ts.states, self.data
        given = self.loss
        if not self.recorded:
            function = make(given, *options)
            return lambda *arrays: function(*arrays, *fixed)
        rest = make, given.model, given.trained, given.verb, *options
        run = Recorded(given.verb, _made, given.loss, (given.model,), *rest)

        def replayed(*arrays: Array) -> Any:
            try:
                return run(*arrays, *fixed)
            except REFUSALS as error:
                advice = f"{given.verb}(..., jit=False) does not record the loss"
                raise_with_advice(error, advice)

        return replayed

    def helper(self, function: Callable[..., Any], recorded: Callable[..., Any]) -> Any:
        """Return a function of arrays alone, or how it is recorded."""
        return recorded if self.recorded else function

    def after(self, vector: Array, states: Tree, steps: int) -> TrainState:
        """Return the training state with the parameters in a vector."""
        parameters = self.loss.trained.put(self.ts.parameters, vector)
        return self.ts.replaced(parameters=parameters, states=states, step=self.ts.step + steps)


def _made(loss: Any, make: Any, model: Any, trained: Trained, verb: str, *options: Any) -> Any:
    return make(FlatLoss(loss, model, trained, verb), *options)
