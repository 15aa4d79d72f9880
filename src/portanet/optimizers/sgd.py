"""Stochastic gradient descent."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from portanet import checks
from portanet.interface import array_namespace
from portanet.optimizers.base import Array, Rule


@dataclass(frozen=True)
class SGD(Rule):
    r"""Stochastic gradient descent, with momentum on request.

    .. math::

        v &\leftarrow \mu v + g \\
        x &\leftarrow x - \eta v
        \qquad\text{or, with Nesterov's,}\qquad x \leftarrow x - \eta (g + \mu v)

    The learning rate stands outside the velocity, as in PyTorch: a change of `lr` acts at once.

    Parameters
    ----------
    lr : float, default 0.1
        The learning rate :math:`\eta`, not negative.
    momentum : float, default 0.0
        The share :math:`\mu` of the velocity that is kept, in [0, 1). At 0 there is no state.
    nesterov : bool, default False
        Look ahead along the velocity. Needs a momentum above 0.

    Raises
    ------
    HyperparameterError
        If a value lies outside its range.

    References
    ----------
    .. [1] Y. Nesterov, "A method for solving the convex programming problem with convergence rate
       O(1/k^2)", Doklady AN SSSR 269, 1983.
    .. [2] I. Sutskever, J. Martens, G. Dahl, G. Hinton, "On the importance of initialization and
       momentum in deep learning", ICML 2013.

    Examples
    --------
    >>> import numpy as np
    >>> import portanet as pn
    >>> ps = {"weight": np.asarray([1.0, 2.0])}
    >>> state = pn.optimizers.setup(pn.optimizers.SGD(0.5), ps)
    >>> state, ps = pn.optimizers.update(state, ps, {"weight": np.asarray([1.0, -1.0])})
    >>> ps
    {'weight': array([0.5, 2.5])}
    """

    elementwise = True
    varying = ("lr",)

    lr: float = 0.1
    momentum: float = 0.0
    nesterov: bool = False

    def __post_init__(self) -> None:
        checks.non_negative(self, "lr")
        checks.decays(self, "momentum")
        checks.flags(self, "nesterov")
        if self.nesterov and self.momentum == 0:
            checks.refuse(self, "nesterov needs momentum > 0", self.momentum)

    def init(self, x: Array) -> tuple[Array, ...]:
        if self.momentum == 0:
            return ()
        return (array_namespace(x).zeros_like(x),)

    def apply(self, state: tuple[Array, ...], x: Array, g: Array) -> tuple[Any, Array]:
        if self.momentum == 0:
            return (), self.lr * g
        array_namespace(g, *state)
        # The state is empty when the momentum was raised from zero after the setup.
        velocity = g + self.momentum * state[0] if state else g
        direction = g + self.momentum * velocity if self.nesterov else velocity
        return (velocity,), self.lr * direction
