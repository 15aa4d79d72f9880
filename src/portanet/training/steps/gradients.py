"""The loss and its gradients, with what a loss returns checked."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from portanet.autodiff.flat import Outputs, zeros_for_missing
from portanet.autodiff.gradients import evaluate, scalar
from portanet.errors import ArgumentError, DTypeError, ShapeError, shown
from portanet.interface import backend_of, is_array
from portanet.optimizers.base import cast_like
from portanet.training.precision.loss_scale import is_scaled, scaled
from portanet.trees import Tree, TreeStructure, unflatten

Array = Any
Loss = Callable[..., tuple[Array, Tree, Any]]


def gradients(
    loss: Loss, model: Any, parameters: Tree, states: Tree, data: Any, ad: Any = None
) -> tuple[Tree, Array, Tree, Any]:
    """Return the gradients of a loss, its value, the new states and the statistics."""
    check_loss(loss)

    def objective(ps: Tree) -> tuple[Array, tuple[Tree, Any]]:
        value, new_states, stats = checked(loss(model, ps, states, data))
        return value, (new_states, stats)

    def multiplied(scale: Array) -> tuple[tuple[Array, Tree, Any], Tree]:
        def product(ps: Tree) -> tuple[Array, tuple[Array, Tree, Any]]:
            value, new_states, stats = checked(loss(model, ps, states, data))
            return value * cast_like(scale, value), (value, new_states, stats)

        (_, outcome), grads = evaluate(product, parameters, "parameters", True, ad)
        return outcome, grads

    if is_scaled(model):
        (value, states, stats), grads = scaled(multiplied, model, states)
    else:
        (value, (states, stats)), grads = evaluate(objective, parameters, "parameters", True, ad)
    return grads, value, states, stats


def gradients_of_leaves(
    loss: Loss, model: Any, leaves: list[Array], structure: TreeStructure, states: Tree, data: Any
) -> tuple[list[Array], Array, Tree, Any]:
    """As `gradients`, by the library of parameters that are taken apart, without a scale."""
    backend = backend_of(leaves[0])
    results = Outputs(backend)

    def flattened(*arrays: Array) -> list[Array]:
        parameters = unflatten(structure, arrays)
        value, new_states, stats = checked(loss(model, parameters, states, data))
        return [scalar(backend, value), *results.split((new_states, stats))]

    (value, *aux), grads = backend.value_and_grad(flattened, leaves)
    states, stats = results.join(aux)
    return zeros_for_missing(backend, grads, leaves), value, states, stats


def check_loss(loss: Any, owner: str = "") -> None:
    """Raise `ArgumentError` unless `loss` can be called as one; messages begin with `owner`."""
    if not callable(loss):
        raise ArgumentError(
            f"{owner}loss is a function loss(model, ps, st, data): got {shown(loss)}"
        )
    if isinstance(loss, type):
        raise ArgumentError(
            f"{owner}loss is an object such as pn.MSELoss(), or a function: got the class "
            f"{loss.__name__}: make one with {loss.__name__}()"
        )


def checked_triple(result: Any) -> tuple[Any, Tree, Any]:
    """Return what a loss returned, which is a triple."""
    if isinstance(result, tuple) and len(result) == 3:
        return result
    kind = type(result).__name__
    found = f"{kind} of {len(result)}" if isinstance(result, tuple | list) else kind
    raise DTypeError(
        f"loss(model, ps, st, data) returns a tuple of 3, (value, st, stats): got {found}: "
        f"without statistics, return value, st, {{}}"
    )


def checked(result: Any) -> tuple[Array, Tree, Any]:
    """Return what a loss returned: its value is one number, and an array."""
    value = checked_triple(result)[0]
    if not is_array(value):
        raise DTypeError(
            f"the value of the loss is an array of shape (): got {type(value).__name__}: return "
            f"what the array functions gave, without float() or item(), which cut the derivative"
        )
    if value.shape != ():
        raise ShapeError(
            f"value.shape == (): {tuple(value.shape)} != (): reduce the loss to one number, for "
            f"example with xp.mean"
        )
    return result
