"""Momentum with the learning rate inside the velocity."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from portanet import checks
from portanet.interface import array_namespace
from portanet.optimizers.base import Array, Rule


@dataclass(frozen=True)
class Momentum(Rule):
    r"""Gradient descent with classical momentum.

    .. math::

        v &\leftarrow \rho v + \eta g \\
        x &\leftarrow x - v

    The learning rate stands inside the velocity, as in the papers: a change of `lr` acts on the
    gradients that come, and fades in. `SGD` has it outside, as PyTorch; as long as it stays the
    same, both take the same steps.

    Parameters
    ----------
    lr : float, default 0.01
        The learning rate :math:`\eta`, not negative.
    momentum : float, default 0.9
        The share :math:`\rho` of the velocity that is kept, in [0, 1).

    Raises
    ------
    HyperparameterError
        If a value lies outside its range.

    Notes
    -----
    The velocity has the shape and dtype of the parameter.

    References
    ----------
    .. [1] B. T. Polyak, "Some methods of speeding up the convergence of iteration methods", USSR
       Computational Mathematics and Mathematical Physics 4, 1964.

    Examples
    --------
    >>> import numpy as np
    >>> import portanet as pn
    >>> ps = {"weight": np.asarray([8.0])}
    >>> state = pn.optimizers.setup(pn.optimizers.Momentum(1.0, momentum=0.5), ps)
    >>> for _ in range(2):
    ...     state, ps = pn.optimizers.update(state, ps, {"weight": np.asarray([2.0])})
    >>> ps
    {'weight': array([3.])}
    """

    elementwise = True
    varying = ("lr",)

    lr: float = 0.01
    momentum: float = 0.9

    def __post_init__(self) -> None:
        checks.non_negative(self, "lr")
        checks.decays(self, "momentum")

    def init(self, x: Array) -> tuple[Array]:
        return (array_namespace(x).zeros_like(x),)

    def apply(self, state: tuple[Array], x: Array, g: Array) -> tuple[Any, Array]:
        array_namespace(g, *state)
        velocity = self.momentum * state[0] + self.lr * g
        return (velocity,), velocity


@dataclass(frozen=True)
class Nesterov(Momentum):
    r"""Gradient descent with Nesterov's momentum, which looks ahead along the velocity.

    .. math::

        v &\leftarrow \rho v + \eta g \\
        x &\leftarrow x - (\rho v + \eta g)

    The learning rate stands inside the velocity, as in `Momentum`.

    Parameters
    ----------
    lr : float, default 0.001
        The learning rate :math:`\eta`, not negative.
    momentum : float, default 0.9
        The share :math:`\rho` of the velocity that is kept, in [0, 1).

    Raises
    ------
    HyperparameterError
        If a value lies outside its range.

    References
    ----------
    .. [1] Y. Nesterov, "A method for solving the convex programming problem with convergence rate
       O(1/k^2)", Doklady AN SSSR 269, 1983.
    .. [2] Y. Bengio, N. Boulanger-Lewandowski, R. Pascanu, "Advances in optimizing recurrent
       networks", ICASSP 2013, arXiv:1212.0901 (this form).

    Examples
    --------
    >>> import numpy as np
    >>> import portanet as pn
    >>> ps = {"weight": np.asarray([8.0])}
    >>> state = pn.optimizers.setup(pn.optimizers.Nesterov(1.0, momentum=0.5), ps)
    >>> for _ in range(2):
    ...     state, ps = pn.optimizers.update(state, ps, {"weight": np.asarray([2.0])})
    >>> ps
    {'weight': array([1.5])}
    """

    lr: float = 0.001
    momentum: float = 0.9

    def apply(self, state: tuple[Array], x: Array, g: Array) -> tuple[Any, Array]:
        state, velocity = super().apply(state, x, g)
        return state, self.momentum * velocity + self.lr * g
