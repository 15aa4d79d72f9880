"""Stochastic gradient descent."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from portanet import checks
from portanet.interface import array_namespace
from portanet.optimizers.base import Array, Rule
from portanet.tracing.record.host import Counter


@dataclass(frozen=True)
class SGD(Rule):
    r"""Stochastic gradient descent, with momentum on request.

    .. math::

        v &\leftarrow \mu v + (1 - \tau) g \\
        x &\leftarrow x - \eta v
        \qquad\text{or, with Nesterov's,}\qquad x \leftarrow x - \eta (g + \mu v)

    The learning rate stands outside the velocity, as in PyTorch: a change of `lr` acts at once.
    The first velocity is the gradient, undamped. `Momentum` has the learning rate inside.

    Parameters
    ----------
    lr : float, default 0.1
        The learning rate :math:`\eta`, not negative.
    momentum : float, default 0.0
        The share :math:`\mu` of the velocity that is kept, in [0, 1). At 0 there is no state.
    nesterov : bool, default False
        Look ahead along the velocity. Needs a momentum above 0, and no dampening.
    dampening : float, default 0.0
        The share :math:`\tau` of the gradient that the velocity leaves out, in [0, 1). It needs a
        momentum above 0.

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
    dampening: float = 0.0

    def __post_init__(self) -> None:
        checks.non_negative(self, "lr")
        checks.decays(self, "momentum", "dampening")
        checks.flags(self, "nesterov")
        for name in ("nesterov", "dampening"):
            if getattr(self, name) and self.momentum == 0:
                checks.refuse(self, f"{name} needs momentum > 0", self.momentum)
        if self.nesterov and self.dampening:
            checks.refuse(self, "nesterov needs dampening == 0", self.dampening)

    def init(self, x: Array) -> tuple[Any, ...]:
        if self.momentum == 0:
            return ()
        zeros = array_namespace(x).zeros_like(x)
        return (zeros, Counter(0)) if self.dampening else (zeros,)

    def apply(self, state: tuple[Any, ...], x: Array, g: Array) -> tuple[Any, Array]:
        if self.momentum == 0:
            return (), self.lr * g
        array_namespace(g, *state[:1])
        # The state is empty when the momentum was raised from zero after the setup.
        if not state:
            velocity = g
        elif len(state) == 1:
            velocity = (1.0 - self.dampening) * g if self.dampening else g
            velocity = velocity + self.momentum * state[0]
        else:
            velocity = self._share(state[1]) * g + self.momentum * state[0]
        direction = g + self.momentum * velocity if self.nesterov else velocity
        return (velocity, *(step + 1 for step in state[1:])), self.lr * direction

    def _share(self, step: Any) -> Any:
        """Return how much of a gradient goes into the velocity: all of the first one."""
        return 1.0 - self.dampening * (1.0 - 0.0**step)
