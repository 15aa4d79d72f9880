"""L-BFGS: Newton's method with the curvature of the last steps."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

from portanet.interface import array_namespace
from portanet.tracing.call.jit import jit
from portanet.training.minimization.line_search import Probe, StrongWolfe
from portanet.training.minimization.problem import FlatLoss, Problem
from portanet.training.minimization.progress import Progress

Array = Any


def lbfgs(problem: Problem, memory: int) -> Iterator[Progress]:
    """Yield where each step of L-BFGS leads, the start first.

    References
    ----------
    .. [1] D. C. Liu, J. Nocedal, "On the limited memory BFGS method for large scale optimization",
       Mathematical Programming 45, 1989.
    """
    xp, start = array_namespace(problem.start), problem.start
    evaluate_at = problem.runner(_evaluation)
    descend = problem.helper(descent, _descent)
    bend = problem.helper(curvature, _curvature)
    rounding = 4.0 * float(xp.finfo(start.dtype).eps)
    evaluations = 0

    def probe(step: float, vector: Array, direction: Array) -> Probe:
        nonlocal evaluations
        evaluations += 1
        length = xp.full_like(start[:1], step)
        vector, value, slope, gradient, size, states = evaluate_at(vector, direction, length)
        return Probe(step, float(value), float(slope), vector, gradient, float(size), states)

    # Numbers are arrays of one entry: NumPy's have no arrays without axes.
    zeros, one = xp.zeros_like(start), xp.ones_like(start[:1])
    empty = [(zeros, zeros)] * memory
    now, history, scale = probe(0.0, start, zeros), empty, one
    yield Progress.at(now, evaluations)
    while True:
        direction, slope = descend(now.gradient, scale, history)
        here = now._replace(step=0.0, slope=float(slope))
        if not here.slope < 0:  # the curvatures contradict each other
            if history is empty:
                return
            history, scale = empty, one
            continue
        search = StrongWolfe(lambda t, v=now.vector, d=direction: probe(t, v, d), here, rounding)
        # Without a curvature, a step of length 1 at most.
        first = 1.0 if history is not empty else min(1.0, 1.0 / math.sqrt(-here.slope))
        found = search.search(first)
        if found is None:
            if history is empty:
                return
            history, scale = empty, one
            continue
        pair, gamma = bend(found.vector, now.vector, found.gradient, now.gradient)
        if 0 < float(gamma[0]) < math.inf:
            history, scale = [*history[1:], pair], gamma
        now = found
        yield Progress.at(now, evaluations)


def _evaluation(loss: FlatLoss) -> Any:
    def evaluation(
        vector: Array, direction: Array, step: Array, parameters: Any, states: Any, data: Any
    ) -> Any:
        vector = vector + step * direction
        value, gradient, states = loss.value_and_gradient(vector, parameters, states, data)
        xp = array_namespace(vector)
        return vector, value, gradient @ direction, gradient, xp.max(xp.abs(gradient)), states

    return evaluation


def descent(
    gradient: Array, scale: Array, history: Sequence[tuple[Array, Array]]
) -> tuple[Array, Array]:
    """Return the direction of the recursion of two loops, and the slope along it.

    `history` has for each step the change of the parameters and that of the gradient, both scaled
    alike so that their product is 1: zeros if there was no step.
    """
    shares = []
    direction = gradient
    for moved, bent in reversed(history):
        share = moved @ direction
        direction = direction - share * bent
        shares.append(share)
    direction = scale * direction
    for (moved, bent), share in zip(history, reversed(shares), strict=True):
        direction = direction + (share - bent @ direction) * moved
    return -direction, -(gradient @ direction)


def curvature(
    vector: Array, before: Array, gradient: Array, gradient_before: Array
) -> tuple[tuple[Array, Array], Array]:
    """Return what the history keeps of a step, and the scale of the inverse Hessian there.

    The scale is 0 where the gradient does not grow along the step.
    """
    moved, bent = vector - before, gradient - gradient_before
    xp = array_namespace(moved)
    product, square = (xp.reshape(x @ bent, (1,)) for x in (moved, bent))
    grows = xp.logical_and(product > 0, square > 0)
    one = xp.ones_like(product)
    share = xp.where(grows, product, one) ** -0.5
    scale = xp.where(grows, product / xp.where(grows, square, one), xp.zeros_like(product))
    return (share * moved, share * bent), scale


_descent = jit(descent)
_curvature = jit(curvature)
