"""`minimize`: parameters that make a full-batch loss least."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from portanet import checks
from portanet.errors import ArgumentError, NonFiniteError, shown
from portanet.losses import Loss
from portanet.training.minimization.lbfgs import lbfgs
from portanet.training.minimization.least_squares import gauss_newton, levenberg_marquardt
from portanet.training.minimization.problem import Problem
from portanet.training.minimization.progress import Minimum, Progress
from portanet.training.state import TrainState

_METHODS: dict[str, Callable[[Problem, int], Iterator[Progress]]] = {
    "lbfgs": lbfgs,
    "gauss_newton": lambda problem, memory: gauss_newton(problem),
    "levenberg_marquardt": lambda problem, memory: levenberg_marquardt(problem),
}


def minimize(
    ts: TrainState,
    loss: Any,
    data: Any,
    *,
    method: str = "lbfgs",
    max_steps: int = 1000,
    gtol: float = 1e-5,
    ftol: float = 2.2e-9,
    memory: int = 10,
    jit: bool | None = None,
) -> tuple[TrainState, Minimum]:
    r"""Minimise a loss over all data at once, by the curvature of its past steps or residuals.

    For small networks and smooth losses, such as those of physics-informed networks and of curve
    fitting, this ends orders of magnitude lower than an optimizer of batches. Everything runs on
    the arrays of `ts`: only the loss and a few other numbers of each step go to the host.

    Parameters
    ----------
    ts : TrainState
        The training state. Its optimizer is not used; what it has frozen, or does not train, stays.
    loss : callable
        For ``"lbfgs"`` as in `train_step`. For the other methods a function
        ``loss(model, ps, st, data)`` that returns ``(residuals, st, stats)``: an array of any
        shape, or a tree of arrays, in the dtype of the parameters. Then
        :math:`\frac{1}{2} \sum r^2` is minimised.
    data : any
        What `loss` expects.
    method : str, default "lbfgs"
        ``"lbfgs"`` with a line search for the strong Wolfe conditions; ``"gauss_newton"``, which
        halves its steps until the loss falls; ``"levenberg_marquardt"``, which damps them. The last
        two hold the Jacobian of all residuals by all parameters.
    max_steps : int, default 1000
        The most steps.
    gtol : float, default 1e-5
        It has converged when no entry of the gradient is larger.
    ftol : float, default 2.2e-9
        It has converged when a step lowers the loss by less than this share of the larger of the
        loss and 1. The defaults of both are those of SciPy's L-BFGS-B.
    memory : int, default 10
        How many steps L-BFGS remembers.
    jit : bool, optional
        Whether evaluations are recorded, as in `train_step`.

    Returns
    -------
    ts : TrainState
        With the parameters found and the states that `loss` returned there; the steps are counted.
    minimum : Minimum
        The loss and its gradient there, and why it ended.

    Raises
    ------
    ArgumentError, HyperparameterError
        If an option is of another kind or out of range, or a loss object is given where residuals
        are wanted.
    NonFiniteError
        If the loss at the start is not finite.
    ParameterTreeError
        If there is no parameter to train.
    DTypeError
        If the trained parameters are of several dtypes, or `loss` returns something else.

    Notes
    -----
    `loss` gets the states of `ts` each time: it is one function of the parameters, and the keys of
    dropout are the same throughout. A loss that is not finite at a trial shortens the step. Use
    float64 to go below a relative accuracy of about 1e-6.

    Examples
    --------
    >>> import numpy as np
    >>> import portanet as pn
    >>> model = pn.Chain(pn.Dense(1, 8, pn.tanh), pn.Dense(8, 1))
    >>> ps, st = pn.setup(0, model, dtype="float64")
    >>> ts = pn.training.TrainState(model, ps, st, pn.optimizers.Adam())
    >>> x = np.linspace(-2.0, 2.0, 50)[:, None]
    >>> ts, minimum = pn.training.minimize(ts, pn.MSELoss(), (x, np.sin(x)))
    >>> minimum.converged, minimum.value < 1e-4
    (True, True)

    The same by residuals:

    >>> def residuals(model, ps, st, data):
    ...     x, y = data
    ...     prediction, st = model(x, ps, st)
    ...     return prediction - y, st, {}
    >>> method = "levenberg_marquardt"
    >>> ts, minimum = pn.training.minimize(ts, residuals, (x, np.sin(x)), method=method)
    >>> minimum.converged, minimum.value < 1e-6
    (True, True)
    """
    if not isinstance(method, str) or method not in _METHODS:
        names = ", ".join(map(repr, _METHODS))
        raise ArgumentError(f"minimize: method is one of {names}: got {shown(method)}")
    max_steps = checks.integer("minimize: max_steps", max_steps, 1)
    memory = checks.integer("minimize: memory", memory, 1)
    gtol, ftol = checks.number("minimize: gtol", gtol), checks.number("minimize: ftol", ftol)
    if isinstance(loss, Loss) and method != "lbfgs":
        raise ArgumentError(
            f"minimize: the loss returns residuals for {method!r}: got {shown(loss)}, one number: "
            f"give a function that returns (prediction - target, st, {{}})"
        )
    problem = Problem(ts, loss, data, jit, "minimize")
    method_steps = _METHODS[method](problem, memory)
    found, values, reason, converged = _run(method_steps, max_steps, gtol, ftol)
    steps = len(values) - 1
    minimum = Minimum(
        found.value, found.size, steps, found.evaluations, converged, reason, np.asarray(values)
    )
    return problem.after(found.vector, found.states, steps), minimum


def _run(
    method: Iterator[Progress], max_steps: int, gtol: float, ftol: float
) -> tuple[Progress, list[float], str, bool]:
    """Take steps until one of the bounds is reached; return the last one, and why."""
    now = next(method)
    if not (math.isfinite(now.value) and math.isfinite(now.size)):
        raise NonFiniteError(
            f"minimize: the loss and its gradient are finite at the start: got {now.value} and "
            f"{now.size}"
        )
    values = [now.value]
    while now.size > gtol:
        if len(values) > max_steps:
            return now, values, "max_steps were taken", False
        before, now = now, next(method, now)
        if now is before:
            return now, values, "no step lowers the loss in this precision", False
        values.append(now.value)
        if before.value - now.value <= ftol * max(abs(before.value), abs(now.value), 1.0):
            return now, values, "a step lowered the loss by no more than ftol", True
    return now, values, "no entry of the gradient is above gtol", True
