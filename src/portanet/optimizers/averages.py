"""Moving averages of the parameters, for prediction."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from portanet import checks, trees
from portanet.errors import ArgumentError, HyperparameterError, shown
from portanet.interface import array_namespace
from portanet.optimizers.base import Array, Rule, RuleState, bits, cast_like
from portanet.optimizers.chains import OptimizerChain
from portanet.optimizers.complex_parts import as_given
from portanet.optimizers.state import OptimizerState, check_structure, flatten_entries
from portanet.optimizers.wrappers import Wrapper
from portanet.trees import Tree


@dataclass(frozen=True)
class MovingAverage(Rule):
    r"""Keep an exponential moving average of the parameters.

    .. math:: a \leftarrow \beta a + (1 - \beta) x

    with :math:`x` after the step, from the parameters that `setup` was given. The average of the
    last :math:`1 / (1 - \beta)` steps predicts better than the parameters of one. It stands last
    in a chain, passes its step on, and `averaged_parameters` reads it.

    Parameters
    ----------
    decay : float, default 0.999
        The share :math:`\beta` of the average that is kept, in [0, 1).

    Raises
    ------
    HyperparameterError
        If `decay` lies outside its range.

    Notes
    -----
    For parameters of less than 32 bits the average is in float32.

    References
    ----------
    .. [1] B. T. Polyak, A. B. Juditsky, "Acceleration of stochastic approximation by averaging",
       SIAM Journal on Control and Optimization 30, 1992.

    Examples
    --------
    >>> import numpy as np
    >>> import portanet as pn
    >>> rule = pn.optimizers.chain(pn.optimizers.SGD(1.0), pn.optimizers.MovingAverage(0.5))
    >>> ps = {"weight": np.asarray([8.0])}
    >>> state = pn.optimizers.setup(rule, ps)
    >>> for _ in range(2):
    ...     state, ps = pn.optimizers.update(state, ps, {"weight": np.asarray([4.0])})
    >>> ps, pn.optimizers.averaged_parameters(state, ps)
    ({'weight': array([0.])}, {'weight': array([3.])})
    """

    elementwise = True
    varying = ("decay",)

    decay: float = 0.999

    def __post_init__(self) -> None:
        checks.decays(self, "decay")

    def init(self, x: Array) -> RuleState:
        xp = array_namespace(x)
        if bits(xp, x.dtype) < 32:
            return (xp.astype(x, xp.float32),)
        return (xp.asarray(x, copy=True),)

    def apply(self, state: RuleState, x: Array, g: Array) -> tuple[RuleState, Array]:
        (average,) = state
        moved = cast_like(x - g, average)
        return (self.decay * average + (1.0 - self.decay) * moved,), g


def averaged_parameters(state: OptimizerState, ps: Tree) -> Tree:
    """Return the averages that `MovingAverage` has kept, in the place of the parameters.

    Parameters
    ----------
    state : OptimizerState
        From a rule with a `MovingAverage`; of a training state, ``ts.optimizer_state``.
    ps : tree
        The parameters. What is not averaged, such as an integer array, is taken from here.

    Returns
    -------
    tree
        The averages in the containers and the dtypes of `ps`.

    Raises
    ------
    HyperparameterError
        If no rule of `state` keeps an average.
    ParameterTreeError
        If `ps` is built otherwise than the parameters given to `setup`.

    Examples
    --------
    >>> import numpy as np
    >>> import portanet as pn
    >>> ps = {"weight": np.ones(2), "steps": np.asarray(3)}
    >>> rule = pn.optimizers.chain(pn.optimizers.SGD(), pn.optimizers.MovingAverage())
    >>> pn.optimizers.averaged_parameters(pn.optimizers.setup(rule, ps), ps)
    {'weight': array([1., 1.]), 'steps': array(3)}
    """
    if not isinstance(state, OptimizerState):
        raise ArgumentError(
            f"averaged_parameters: state is what pn.optimizers.setup(rule, ps) returned: got "
            f"{shown(state)}"
        )
    xs, structure = flatten_entries(ps)
    if structure != state.structure:
        check_structure(state.structure, structure, "parameters")
    rows = zip(state.rules, state.states, strict=True)
    averages = [_average(rule, own) for rule, own in rows]
    if all(average is None for average in averages):
        raise HyperparameterError(
            "averaged_parameters: a rule with a MovingAverage, as in chain(Adam(), "
            "MovingAverage(0.999)): there is none"
        )
    for place, average in enumerate(averages):
        if average is not None:
            xs[place] = cast_like(as_given(average, xs[place]), xs[place])
    return trees.unflatten(structure, xs)


def _average(rule: Any, state: RuleState) -> Array | None:
    """Return the average in the state of a rule, its members and what it is around."""
    if isinstance(rule, MovingAverage):
        return state[0]
    if isinstance(rule, OptimizerChain):
        found = (_average(member, own) for member, own in zip(rule.rules, state, strict=True))
        return next((average for average in found if average is not None), None)
    # What wraps a rule keeps its state last.
    return _average(rule.rule, state[-1]) if isinstance(rule, Wrapper) else None
