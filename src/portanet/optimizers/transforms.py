"""Rules that change a gradient on its way to the next rule: decay and clipping."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from portanet import checks
from portanet.interface import array_namespace
from portanet.optimizers.base import Array, Rule, RuleState, bits, cast


@dataclass(frozen=True)
class WeightDecay(Rule):
    r"""Add the gradient of an L2 penalty: :math:`g + \lambda x`.

    In front of `Adam` the decay passes through its means; `AdamW` is the decoupled form.

    Parameters
    ----------
    rate : float, default 5e-4
        The decay rate :math:`\lambda`, not negative.

    Raises
    ------
    HyperparameterError
        If `rate` is negative or not finite.

    Examples
    --------
    >>> import portanet as pn
    >>> pn.optimizers.chain(pn.optimizers.WeightDecay(0.01), pn.optimizers.SGD(0.1))
    OptimizerChain(WeightDecay(rate=0.01), SGD(lr=0.1, momentum=0.0, nesterov=False))
    """

    elementwise = True
    varying = ("rate",)

    rate: float = 5e-4

    def __post_init__(self) -> None:
        checks.non_negative(self, "rate")

    def init(self, x: Array) -> RuleState:
        return ()

    def apply(self, state: RuleState, x: Array, g: Array) -> tuple[RuleState, Array]:
        return state, g + self.rate * x


@dataclass(frozen=True)
class ClipGradient(Rule):
    r"""Clip each entry of the gradient to :math:`[-\delta, \delta]`.

    Parameters
    ----------
    limit : float
        The largest magnitude :math:`\delta` of an entry, above 0.

    Raises
    ------
    HyperparameterError
        If `limit` is not above 0 or not finite.

    Examples
    --------
    >>> import numpy as np
    >>> import portanet as pn
    >>> pn.optimizers.ClipGradient(1.0).apply((), None, np.asarray([0.5, -3.0]))[1]
    array([ 0.5, -1. ])
    """

    elementwise = True

    limit: float

    def __post_init__(self) -> None:
        checks.positive(self, "limit")

    def init(self, x: Array) -> RuleState:
        return ()

    def apply(self, state: RuleState, x: Array, g: Array) -> tuple[RuleState, Array]:
        xp = array_namespace(g)
        return state, xp.minimum(xp.maximum(g, -self.limit), self.limit)


@dataclass(frozen=True)
class ClipNorm(Rule):
    r"""Scale the gradient of each array down to a norm of at most `limit`.

    .. math:: g \cdot \min(1, \omega / \lVert g \rVert_2)

    The norm is that of one parameter array; `ClipGlobalNorm` takes the whole tree's. A gradient
    that is not finite stays so: its entries become NaN.

    Parameters
    ----------
    limit : float
        The largest Euclidean norm :math:`\omega`, above 0.

    Raises
    ------
    HyperparameterError
        If `limit` is not above 0 or not finite.

    Examples
    --------
    >>> import numpy as np
    >>> import portanet as pn
    >>> pn.optimizers.ClipNorm(1.0).apply((), None, np.asarray([3.0, 4.0]))[1]
    array([0.6, 0.8])
    """

    limit: float

    def __post_init__(self) -> None:
        checks.positive(self, "limit")

    def init(self, x: Array) -> RuleState:
        return ()

    def apply(self, state: RuleState, x: Array, g: Array) -> tuple[RuleState, Array]:
        xp = array_namespace(g)
        norm = xp.sqrt(_squared_norm(xp, g))
        return state, _scale_to(xp, g, norm, self.limit)


@dataclass(frozen=True)
class ClipGlobalNorm(ClipNorm):
    r"""Scale all gradients by one factor, so that their common norm is at most `limit`.

    .. math:: g_i \cdot \min\Bigl(1, \omega / \sqrt{\textstyle\sum_j \lVert g_j \rVert_2^2}\Bigr)

    The sum runs over the arrays that take part in the update: frozen ones and those without a
    gradient do not count.

    Parameters
    ----------
    limit : float
        The largest Euclidean norm :math:`\omega` of the whole tree, above 0.

    Raises
    ------
    HyperparameterError
        If `limit` is not above 0 or not finite.

    References
    ----------
    .. [1] R. Pascanu, T. Mikolov, Y. Bengio, "On the difficulty of training recurrent neural
       networks", ICML 2013, arXiv:1211.5063.

    Examples
    --------
    >>> import numpy as np
    >>> import portanet as pn
    >>> rule = pn.optimizers.chain(pn.optimizers.ClipGlobalNorm(1.0), pn.optimizers.SGD(1.0))
    >>> ps = {"bias": np.zeros(1), "weight": np.zeros(1)}
    >>> grads = {"bias": np.asarray([3.0]), "weight": np.asarray([4.0])}
    >>> pn.optimizers.update(pn.optimizers.setup(rule, ps), ps, grads)[1]
    {'bias': array([-0.6]), 'weight': array([-0.8])}
    """

    @property
    def joinable(self) -> bool:
        return True

    @classmethod
    def apply_all(
        cls,
        rules: Sequence[Any],
        states: Sequence[RuleState],
        xs: Sequence[Array],
        gs: Sequence[Array],
    ) -> tuple[list[RuleState], list[Array]]:
        xp = array_namespace(*gs)
        squares = [_squared_norm(xp, g) for g in gs]
        widest = max((square.dtype for square in squares), key=lambda dtype: bits(xp, dtype))
        norm = xp.sqrt(sum((cast(xp, square, widest) for square in squares), 0.0))
        steps = [_scale_to(xp, g, norm, rule.limit) for rule, g in zip(rules, gs, strict=True)]
        return list(states), steps


def _squared_norm(xp: Any, g: Array) -> Array:
    """Sum of the squares of all entries, in float32 or wider."""
    if bits(xp, g.dtype) < 32:
        g = xp.astype(g, xp.float32)
    return xp.sum(g * g)


def _scale_to(xp: Any, g: Array, norm: Array, limit: float) -> Array:
    """Scale `g` down to a norm of `limit`; the factor is in the dtype of `norm`."""
    factor = limit / xp.maximum(norm, limit)
    widest = factor.dtype if bits(xp, factor.dtype) > bits(xp, g.dtype) else g.dtype
    return cast(xp, cast(xp, g, widest) * cast(xp, factor, widest), g.dtype)
