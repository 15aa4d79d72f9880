"""One step of training: gradients, then an update."""

from __future__ import annotations

from typing import Any

from portanet import optimizers
from portanet.errors import ArgumentError, shown
from portanet.training.known.known_steps import STEPS
from portanet.training.precision.loss_scale import overflowed
from portanet.training.state import TrainState, check_state
from portanet.training.steps.compiled import compiled_step, repeated_step
from portanet.training.steps.gradients import Array, Loss, check_loss, gradients
from portanet.training.steps.joined import joined_step
from portanet.training.steps.together import compiled_step_together, is_together, own_gradients
from portanet.trees import Tree


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
    check_state(ts)
    grads, value, states, stats = _gradients(loss, data, ts, ad)
    return grads, value, stats, ts.replaced(states=states)


def apply_gradients(ts: TrainState, grads: Tree) -> TrainState:
    """Update the parameters with gradients and count the step.

    In mixed precision nothing is done after gradients that were not finite.

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
    check_state(ts)
    return _updated(ts, grads, ts.states)


def train_step(
    loss: Loss,
    data: Any,
    ts: TrainState,
    *,
    ad: Any = None,
    jit: bool | None = None,
    donate: bool = False,
) -> tuple[Array, Any, TrainState]:
    """Compute gradients and apply them.

    The returned value and statistics belong to the parameters before the update.

    Parameters
    ----------
    loss, data, ts, ad
        As in `compute_gradients`. With an engine the step runs as it is.
    jit : bool, optional
        Whether the step is recorded as by `portanet.jit` and then replayed, which is several
        times as fast where the arrays are small. By default it is, but on torch, whose compiler
        takes seconds. True records also where something around the loss may change without a sign.
        False runs it line by line, for a debugger, or for a loss that is unfit for recording.
    donate : bool, default False
        Whether a recorded step may write over the parameters and the optimizer's state in `ts`,
        which saves memory of their size. `ts` is of no use afterwards; arrays taken from it before,
        or that it was made of, may hold anything.

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
    TracedValueError
        If `loss` or the model cannot be recorded: it branches on the value of an array, asks for
        it by ``float(x)``, or picks entries by a condition.

    Notes
    -----
    What a recorded loss does beside its result, such as printing, happens only while it is
    recorded: once for each structure, shape and dtype of `data` and the states. What it, the model
    and the optimizer read around them is watched: names, attributes, entries of containers, the
    content of arrays, in helpers too. When something has changed, the step is recorded anew. Where
    something may change without a sign, or the loss changes it itself, or the step would be
    recorded anew nearly every time, the step runs as it is, with one warning that says why.
    Pass what changes in `data`: arrays and random keys are inputs, a number is part of the program.
    Learning rates and rates of decay are inputs too.

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
    if not ((jit is None or type(jit) is bool) and type(donate) is bool):
        raise ArgumentError(
            f"jit is True, False or None, donate True or False: got {shown(jit)}, {shown(donate)}"
        )
    recorded = jit is not False and ad is None
    if recorded and type(ts) is TrainState:
        done = repeated_step(loss, data, ts, slowly=jit is True, donate=donate)
        if done is not None:
            return done
    check_state(ts)
    check_loss(loss)
    if ad is None:
        together = is_together(ts, data)
        done = None
        if recorded:
            compiled = compiled_step_together if together else compiled_step
            done = compiled(loss, data, ts, slowly=jit is True, donate=donate)
        if done is None and not together:
            done = joined_step(loss, data, ts)
        if done is not None:
            return done
    grads, value, states, stats = _gradients(loss, data, ts, ad)
    return value, stats, _updated(ts, grads, states)


def _gradients(loss: Loss, data: Any, ts: TrainState, ad: Any) -> tuple[Tree, Array, Tree, Any]:
    if is_together(ts, data):
        return own_gradients(loss, data, ts, ad)
    return gradients(loss, ts.model, ts.parameters, ts.states, data, ad)


def _updated(ts: TrainState, grads: Tree, states: Tree) -> TrainState:
    assert ts.optimizer_state is not None
    if overflowed(ts.model, states):
        return ts if states is ts.states else ts.replaced(states=states)
    state, parameters = optimizers.update(ts.optimizer_state, ts.parameters, grads)
    return ts.replaced(
        parameters=parameters, states=states, optimizer_state=state, step=ts.step + 1
    )


def clear_steps() -> None:
    """Forget the recorded steps, forward runs and full-batch losses, and the memory they keep.

    There are at most 64 of them, with 256 MiB beside what a loss captured. None keeps its loss
    alive: a step goes with its loss, at the latest when the garbage collector comes, unless it is
    small and may serve the next loss that is alike. Each is recorded anew when next asked for.

    Examples
    --------
    >>> import portanet as pn
    >>> pn.training.clear_steps()
    """
    STEPS.clear()
