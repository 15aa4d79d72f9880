"""A loss as `scipy.optimize.minimize` wants it: a function of one NumPy vector."""

from __future__ import annotations

from typing import Any

import numpy as np

from portanet.errors import DTypeError, ShapeError, shown
from portanet.interface import backend_of
from portanet.training.minimization.problem import FlatLoss, Problem
from portanet.training.state import TrainState


def scipy_objective(
    loss: Any, ts: TrainState, data: Any, *, jit: bool | None = None
) -> ScipyObjective:
    """Make a function for `scipy.optimize.minimize` of a loss and the parameters of a model.

    It takes one NumPy vector, in which the trained parameters lie behind one another, and returns
    the loss and its gradient. The model runs on the arrays of `ts`, whatever their library,
    device and dtype.

    Parameters
    ----------
    loss : callable
        As in `train_step`.
    ts : TrainState
        The training state. What it has frozen, or does not train, stays.
    data : any
        What `loss` expects.
    jit : bool, optional
        Whether evaluations are recorded, as in `train_step`.

    Returns
    -------
    ScipyObjective
        Call it with ``jac=True`` from ``objective.start``; ``objective.state(x)`` is the training
        state for a vector.

    Raises
    ------
    ArgumentError, ParameterTreeError, DTypeError
        As in `minimize`.

    Examples
    --------
    >>> import numpy as np
    >>> import scipy.optimize
    >>> import portanet as pn
    >>> model = pn.Dense(1, 1)
    >>> ps, st = pn.setup(0, model, dtype="float64")
    >>> ts = pn.training.TrainState(model, ps, st, pn.optimizers.Adam())
    >>> x = np.asarray([[0.0], [1.0], [2.0]])
    >>> objective = pn.training.scipy_objective(pn.MSELoss(), ts, (x, 3.0 * x + 1.0))
    >>> found = scipy.optimize.minimize(objective, objective.start, jac=True, method="BFGS")
    >>> ts = objective.state(found.x)
    >>> ts.parameters["weight"].round(4), ts.parameters["bias"].round(4)
    (array([[3.]]), array([1.]))
    """
    return ScipyObjective(Problem(ts, loss, data, jit, "scipy_objective"))


class ScipyObjective:
    """The function that `scipy_objective` makes.

    Attributes
    ----------
    start : ndarray of float64
        The trained parameters of the training state.
    """

    def __init__(self, problem: Problem) -> None:
        self._problem = problem
        self._backend = backend_of(problem.start)
        self._evaluate = problem.runner(_value_and_gradient)
        self.start = self._to_host(problem.start)

    def __call__(self, x: np.ndarray) -> tuple[float, np.ndarray]:
        """Return the loss and its gradient, of the shape of `x`, in float64."""
        value, gradient, _ = self._evaluate(self._from_host(x))
        return float(value), self._to_host(gradient)

    def state(self, x: np.ndarray) -> TrainState:
        """Return the training state with the parameters `x` and the states of the loss there."""
        vector = self._from_host(x)
        return self._problem.after(vector, self._evaluate(vector)[2], 0)

    def _to_host(self, x: Any) -> np.ndarray:
        return np.array(self._backend.to_numpy(x), np.float64)

    def _from_host(self, x: Any) -> Any:
        start = self._problem.start
        if np.shape(x) != tuple(start.shape):
            raise ShapeError(f"x.shape == ({start.shape[0]},): {np.shape(x)} != {start.shape}")
        if np.asarray(x).dtype.kind not in "fiu":
            raise DTypeError(f"x is an array of real numbers: got {shown(x)}")
        host = np.array(x, self._backend.to_numpy(start).dtype)
        moved = self._backend.from_numpy(host, self._backend.device_of(start))
        return moved if moved.dtype == start.dtype else self._backend.xp.astype(moved, start.dtype)


def _value_and_gradient(loss: FlatLoss) -> Any:
    def value_and_gradient(vector: Any, parameters: Any, states: Any, data: Any) -> Any:
        return loss.value_and_gradient(vector, parameters, states, data)

    return value_and_gradient
