"""Clipping: rules that bound a gradient on its way to the next rule."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from portanet import checks
from portanet.interface import array_namespace
from portanet.optimizers.base import Array, Rule, RuleState, bits, cast


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
        return state, _scaled(g, _factor([g], self.limit))


@dataclass(frozen=True)
class ClipGlobalNorm(ClipNorm):
    r"""Scale all gradients by one factor, so that their common norm is at most `limit`.

    .. math:: g_i \cdot \min\Bigl(1, \omega / \sqrt{\textstyle\sum_j \lVert g_j \rVert_2^2}\Bigr)

    The sum runs over the arrays that take part in the update: frozen ones and those without a
    gradient do not count. In `Groups`, all arrays count that are clipped so at the same place of
    their chains.

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
        factors = {limit: _factor(gs, limit) for limit in {rule.limit for rule in rules}}
        steps = [_scaled(g, factors[rule.limit]) for rule, g in zip(rules, gs, strict=True)]
        return list(states), steps


def _factor(gs: Sequence[Array], limit: float) -> Array | None:
    """Return ``min(1, limit / norm)`` for the common norm of arrays, None if they are empty.

    It has the widest dtype of the arrays, of 32 bits at least. The squares are those of the
    entries over the largest one, or over the limit, so that none overflows.
    """
    filled = [g for g in gs if 0 not in g.shape]
    if not filled:
        return None
    xp = array_namespace(*filled)
    dtype = max((g.dtype for g in filled), key=lambda dtype: bits(xp, dtype))
    dtype = dtype if bits(xp, dtype) >= 32 else xp.float32
    wide = [cast(xp, g, dtype) for g in filled]
    # One vector takes fewer operations than many small arrays.
    g = wide[0] if len(wide) == 1 else xp.concat([xp.reshape(g, (-1,)) for g in wide])
    scale = xp.maximum(xp.max(xp.abs(g)), limit)
    # Either an entry over the scale is 1, or the scale is the limit.
    return (limit / scale) / xp.sqrt(xp.maximum(xp.sum(xp.square(g / scale)), 1.0))


def _scaled(g: Array, factor: Array | None) -> Array:
    """Multiply `g` by a factor in the wider dtype of both."""
    if factor is None:
        return g
    xp = array_namespace(g, factor)
    wider = factor.dtype if bits(xp, factor.dtype) > bits(xp, g.dtype) else g.dtype
    return cast(xp, cast(xp, g, wider) * cast(xp, factor, wider), g.dtype)
