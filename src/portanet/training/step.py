"""One step of training: gradients, then an update."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from portanet import optimizers
from portanet.autodiff.gradients import evaluate
from portanet.backends import is_array
from portanet.errors import ArgumentError, DTypeError, ShapeError
from portanet.training.compiled import can_be_compiled, compiled_step
from portanet.training.state import TrainState
from portanet.trees import Tree

Array = Any
Loss = Callable[..., tuple[Array, Tree, Any]]


def compute_gradients(
    loss: Loss, data: Any, ts: TrainState, *, ad: Any = None
) -> tuple[Tree, Array, Any, TrainState]:
    """Compute the loss and its gradients with respect to the parameters of a training state.

    Parameters
    ----------
    loss : callable
        A loss object such as ``pn.MSELoss()``, for which `data` is a pair ``(x, y)``, or a
        function ``loss(model, ps, st, data)`` that returns ``(value, st, stats)``: a floating
        array of shape ``()``, the new states, and anything else of interest.
    data : any
        What `loss` expects.
    ts : TrainState
        The training state.
    ad : engine, optional
        The engine of differentiation. That of the arrays' library by default.

    Returns
    -------
    grads : tree
        The gradients, built as the parameters.
    value : array
        The loss, of shape ``()``.
    stats : any
        What `loss` returned third.
    ts : TrainState
        The training state with the new states; parameters and step as before.

    Raises
    ------
    DTypeError
        If `loss` does not return a triple, or its value is not a floating array.
    ShapeError
        If the value has axes.

    Examples
    --------
    >>> import numpy as np
    >>> import portanet as pn
    >>> model = pn.Dense(1, 1)
    >>> ps = {"weight": np.asarray([[2.0]]), "bias": np.asarray([0.0])}
    >>> ts = pn.training.TrainState(model, ps, {}, pn.optimizers.SGD(0.1))
    >>> x, y = np.asarray([[1.0]]), np.asarray([[3.0]])
    >>> grads, value, stats, ts = pn.training.compute_gradients(pn.MSELoss(), (x, y), ts)
    >>> grads
    {'weight': array([[-2.]]), 'bias': array([-2.])}
    """
    grads, value, states, stats = _gradients(loss, ts.model, ts.parameters, ts.states, data, ad)
    return grads, value, stats, ts.replaced(states=states)


def _gradients(
    loss: Loss, model: Any, parameters: Tree, states: Tree, data: Any, ad: Any = None
) -> tuple[Tree, Array, Tree, Any]:
    def objective(ps: Tree) -> tuple[Array, tuple[Tree, Any]]:
        value, new_states, stats = _checked(loss(model, ps, states, data))
        return value, (new_states, stats)

    (value, (states, stats)), grads = evaluate(objective, parameters, "parameters", True, ad)
    return grads, value, states, stats


def _checked(result: Any) -> tuple[Array, Tree, Any]:
    if not isinstance(result, tuple) or len(result) != 3:
        kind = type(result).__name__
        found = f"{kind} of {len(result)}" if isinstance(result, tuple | list) else kind
        raise DTypeError(
            f"loss(model, ps, st, data) returns a tuple of 3, (value, st, stats): got {found}: "
            f"without statistics, return value, st, {{}}"
        )
    value = result[0]
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


def apply_gradients(ts: TrainState, grads: Tree) -> TrainState:
    """Update the parameters with gradients and count the step.

    Parameters
    ----------
    ts : TrainState
        The training state.
    grads : tree
        The gradients, built as the parameters; None skips a parameter.

    Returns
    -------
    TrainState
        The training state after the update.

    Raises
    ------
    ParameterTreeError, ShapeError, DTypeError, BackendMismatchError
        As `portanet.optimizers.update`.

    Examples
    --------
    >>> import numpy as np
    >>> import portanet as pn
    >>> ps = {"weight": np.asarray([[2.0]]), "bias": np.asarray([0.0])}
    >>> ts = pn.training.TrainState(pn.Dense(1, 1), ps, {}, pn.optimizers.SGD(0.1))
    >>> grads = {"weight": np.asarray([[-2.0]]), "bias": np.asarray([-2.0])}
    >>> ts = pn.training.apply_gradients(ts, grads)
    >>> ts.step, ts.parameters["bias"]
    (1, array([0.2]))
    """
    assert ts.optimizer_state is not None
    state, parameters = optimizers.update(ts.optimizer_state, ts.parameters, grads)
    return ts.replaced(parameters=parameters, optimizer_state=state, step=ts.step + 1)


def train_step(
    loss: Loss, data: Any, ts: TrainState, *, ad: Any = None, jit: bool = False
) -> tuple[Array, Any, TrainState]:
    """Compute gradients and apply them.

    The returned value and statistics belong to the parameters before the update.

    Parameters
    ----------
    loss, data, ts, ad
        As in `compute_gradients`.
    jit : bool, default False
        Whether the step is recorded by `portanet.jit` and then replayed, which is several times
        as fast where the arrays are small. `loss` and the model must be fit for that: no branches
        on values, no effects beside the result. Define `loss` once, outside of the loop: each new
        function is recorded anew. On torch the step runs as it is.

    Returns
    -------
    value : array
        The loss before the update, of shape ``()``.
    stats : any
        What `loss` returned third.
    ts : TrainState
        The training state after the update.

    Raises
    ------
    DTypeError, ShapeError
        As in `compute_gradients`.
    ArgumentError
        If `jit` is to go with an engine.

    Examples
    --------
    Fit y = 2x:

    >>> import numpy as np
    >>> import portanet as pn
    >>> model = pn.Dense(1, 1)
    >>> ps, st = pn.setup(np.random.default_rng(0), model, dtype="float64")
    >>> ts = pn.training.TrainState(model, ps, st, pn.optimizers.SGD(0.5))
    >>> x = np.asarray([[-1.0], [0.0], [1.0]])
    >>> for _ in range(50):
    ...     value, stats, ts = pn.training.train_step(pn.MSELoss(), (x, 2.0 * x), ts)
    >>> float(value) < 1e-6
    True
    """
    if jit and ad is not None:
        raise ArgumentError(
            f"train_step: jit=True takes the library's own derivatives: leave out ad={ad!r}"
        )
    if jit and can_be_compiled(ts):
        return compiled_step(_gradients, loss, data, ts)
    grads, value, stats, ts = compute_gradients(loss, data, ts, ad=ad)
    return value, stats, apply_gradients(ts, grads)
