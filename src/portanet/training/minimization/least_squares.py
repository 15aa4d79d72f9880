"""Gauss-Newton and Levenberg-Marquardt: Newton's method for sums of squares."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

from portanet import trees
from portanet.autodiff import jacobian
from portanet.errors import DTypeError, ShapeError
from portanet.interface import array_namespace, backend_of, dtype_name, is_array, same_dtype
from portanet.training.minimization.problem import FlatLoss, Problem
from portanet.training.minimization.progress import Progress
from portanet.training.steps.gradients import checked_triple

Array = Any

_DAMPING = 1e-3  # Nielsen's: the share of the columns' norms that the first step is damped by
_MOST_DAMPING = 1e16
_MOST_HALVINGS = 30


class Residuals:
    """The residuals of a problem as one vector, their Jacobian, and steps from them."""

    def __init__(self, problem: Problem, solve: Callable[..., Any]) -> None:
        self.evaluations = 0
        self._linearize = problem.runner(_linearization)
        self._try = problem.runner(_trial, solve)

    def linearize(self, vector: Array) -> Any:
        """Return residuals, Jacobian, gradient, value, largest gradient entry, and states."""
        self.evaluations += 1
        residuals, matrix, gradient, value, size, states = self._linearize(vector)
        return residuals, matrix, gradient, float(value), float(size), states

    def attempt(self, vector: Array, *rest: Array) -> Any:
        """Return where a step leads, the value there, and the decrease that was foretold."""
        self.evaluations += 1
        vector, value, foretold = self._try(vector, *rest)
        return vector, float(value), float(foretold)


def levenberg_marquardt(problem: Problem) -> Iterator[Progress]:
    """Yield where each step of the method of Levenberg and Marquardt leads, the start first.

    References
    ----------
    .. [1] J. J. Moré, "The Levenberg-Marquardt algorithm: Implementation and theory", Numerical
       Analysis, Lecture Notes in Mathematics 630, 1978 (the scaling).
    .. [2] H. B. Nielsen, "Damping parameter in Marquardt's method", IMM-REP-1999-05, 1999.
    """
    work = Residuals(problem, _damped_step)
    xp, vector = array_namespace(problem.start), problem.start
    damping, growth, scale = _DAMPING, 2.0, xp.zeros_like(vector)
    device = backend_of(vector).device_of(vector)
    identity = xp.eye(vector.shape[0], dtype=vector.dtype, device=device)
    while True:
        residuals, matrix, gradient, value, size, states = work.linearize(vector)
        yield Progress(vector, value, size, states, work.evaluations)
        scale = xp.maximum(scale, xp.sqrt(xp.sum(matrix * matrix, axis=0)))
        while True:
            if damping > _MOST_DAMPING:
                return
            weight = xp.full_like(vector[:1], math.sqrt(damping))
            given = residuals, matrix, gradient, scale, weight, identity
            moved, lower, foretold = work.attempt(vector, *given)
            if math.isfinite(lower) and lower < value:
                gain = (value - lower) / foretold if foretold > 0 else 1.0
                damping *= max(1.0 / 3.0, 1.0 - (2.0 * gain - 1.0) ** 3) if gain < 1.0 else 1 / 3
                growth, vector = 2.0, moved
                break
            damping *= growth
            growth *= 2.0


def gauss_newton(problem: Problem) -> Iterator[Progress]:
    """Yield where each step of the method of Gauss and Newton leads, the start first.

    Each step solves the linear problem, by the shortest vector if there are several, and is halved
    until the loss falls [1]_.

    References
    ----------
    .. [1] J. Nocedal, S. J. Wright, "Numerical optimization", 2nd edition, 2006, section 10.3.
    """
    work = Residuals(problem, _shortest_step)
    xp, vector = array_namespace(problem.start), problem.start
    while True:
        residuals, matrix, gradient, value, size, states = work.linearize(vector)
        yield Progress(vector, value, size, states, work.evaluations)
        # Directions in which the residuals hardly change would make steps without bounds.
        inverse = xp.linalg.pinv(matrix, rtol=float(xp.finfo(vector.dtype).eps) ** 0.5)
        for halving in range(_MOST_HALVINGS):
            share = 0.5**halving
            length = xp.full_like(vector[:1], share)
            moved, lower, foretold = work.attempt(vector, residuals, inverse, gradient, length)
            if math.isfinite(lower) and lower <= value - 1e-4 * share * foretold and lower < value:
                vector = moved
                break
        else:
            return


def _damped_step(
    residuals: Array, matrix: Array, gradient: Array, scale: Array, weight: Array, identity: Array
) -> tuple[Array, Array]:
    """Return the step of a damped linear problem, and half the decrease that it foretells."""
    xp = array_namespace(residuals)
    columns = weight * xp.where(scale > 0, scale, xp.ones_like(scale))
    stacked = xp.concat([matrix, columns * identity])
    q, r = xp.linalg.qr(stacked)
    step = xp.linalg.solve(r, -(residuals @ q[: residuals.shape[0], :]))
    damped = (columns * step) @ (columns * step)
    return step, 0.5 * (damped - gradient @ step)


def _shortest_step(
    residuals: Array, inverse: Array, gradient: Array, length: Array
) -> tuple[Array, Array]:
    """Return a share of the step of the linear problem, and the slope along the whole of it."""
    step = -(inverse @ residuals)
    return length * step, -(gradient @ step)


def _linearization(loss: FlatLoss) -> Any:
    def linearization(vector: Array, parameters: Any, states: Any, data: Any) -> Any:
        xp = array_namespace(vector)
        residuals, new_states = _residuals(loss, vector, parameters, states, data)

        def alone(vector: Array) -> Array:
            return _residuals(loss, vector, parameters, states, data)[0]

        few = vector.shape[0] <= residuals.shape[0]
        matrix = jacobian(alone, mode="forward" if few else "reverse")(vector)
        gradient = residuals @ matrix
        value = 0.5 * xp.sum(residuals * residuals)
        return residuals, matrix, gradient, value, xp.max(xp.abs(gradient)), new_states

    return linearization


def _trial(loss: FlatLoss, solve: Callable[..., Any]) -> Any:
    def trial(vector: Array, *rest: Any) -> Any:
        *arrays, parameters, states, data = rest
        step, foretold = solve(*arrays)
        vector = vector + step
        residuals, _ = _residuals(loss, vector, parameters, states, data)
        return vector, 0.5 * array_namespace(vector).sum(residuals * residuals), foretold

    return trial


def _residuals(
    loss: FlatLoss, vector: Array, parameters: Any, states: Any, data: Any
) -> tuple[Array, Any]:
    """Return the residuals of the loss as one vector, and its states."""
    found, states, _ = checked_triple(loss(vector, parameters, states, data))
    arrays = trees.leaves(found)
    if not arrays or not all(map(is_array, arrays)):
        raise DTypeError(
            f"{loss.verb}: the loss returns residuals first, an array or a tree of arrays: got "
            f"a {type(found).__name__}"
        )
    xp = array_namespace(vector, *arrays)
    for x in arrays:
        if not same_dtype(x, vector):
            raise DTypeError(
                f"{loss.verb}: residuals.dtype == parameters.dtype: {dtype_name(x)} != "
                f"{dtype_name(vector)}"
            )
    if len(arrays) == 1 and not arrays[0].shape:
        raise ShapeError(
            f"{loss.verb}: residuals.ndim >= 1: 0 < 1: return them all, such as prediction - "
            f"target, and not the mean of their squares"
        )
    residuals = xp.concat([xp.reshape(x, (-1,)) for x in arrays])
    if residuals.shape[0] == 0:
        raise ShapeError(f"{loss.verb}: at least one residual: got none")
    return residuals, states
