"""AdaGrad and AdaDelta: steps scaled by all squared gradients so far, or by the recent ones."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from portanet import checks
from portanet.interface import array_namespace
from portanet.optimizers.base import Array, Rule, cast, zero_mean


@dataclass(frozen=True)
class AdaGrad(Rule):
    r"""AdaGrad: the gradient over the root of the sum of all its squares.

    .. math::

        s &\leftarrow s + g^2 \\
        x &\leftarrow x - \eta \frac{g}{\sqrt{s} + \epsilon}

    Parameters
    ----------
    lr : float, default 0.01
        The learning rate :math:`\eta`, not negative. The defaults are PyTorch's.
    epsilon : float, default 1e-10
        Added to the denominator, above 0.

    Raises
    ------
    HyperparameterError
        If a value lies outside its range.

    Notes
    -----
    The sum begins at 0, where that of Lux begins at :math:`\epsilon`. For parameters of less than
    32 bits it is float32, as the means of `Adam`.

    References
    ----------
    .. [1] J. Duchi, E. Hazan, Y. Singer, "Adaptive subgradient methods for online learning and
       stochastic optimization", Journal of Machine Learning Research 12, 2011.

    Examples
    --------
    >>> import numpy as np
    >>> import portanet as pn
    >>> ps = {"weight": np.asarray([1.0, 2.0])}
    >>> state = pn.optimizers.setup(pn.optimizers.AdaGrad(0.5), ps)
    >>> for _ in range(2):
    ...     state, ps = pn.optimizers.update(state, ps, {"weight": np.asarray([3.0, -7.0])})
    >>> ps["weight"].round(4)
    array([0.1464, 2.8536])
    """

    elementwise = True
    varying = ("lr",)

    lr: float = 0.01
    epsilon: float = 1e-10

    def __post_init__(self) -> None:
        checks.non_negative(self, "lr")
        checks.positive(self, "epsilon")

    def init(self, x: Array) -> tuple[Array]:
        return (zero_mean(x),)

    def apply(self, state: tuple[Array], x: Array, g: Array) -> tuple[Any, Array]:
        (total,) = state
        xp = array_namespace(g, total)
        g = cast(xp, g, total.dtype)
        total = total + g * g
        return (total,), cast(xp, self.lr * g / (xp.sqrt(total) + self.epsilon), x.dtype)


@dataclass(frozen=True)
class AdaDelta(Rule):
    r"""AdaDelta: steps in the units of the parameter, without a learning rate to choose.

    .. math::

        v &\leftarrow \rho v + (1 - \rho) g^2 \\
        d &= g \, \sqrt{u + \epsilon} / \sqrt{v + \epsilon} \\
        u &\leftarrow \rho u + (1 - \rho) d^2 \\
        x &\leftarrow x - \eta d

    Parameters
    ----------
    lr : float, default 1.0
        The factor :math:`\eta` of all steps, not negative; 1 in the paper. The defaults are
        PyTorch's.
    rho : float, default 0.9
        The decay rate :math:`\rho` of both means, in [0, 1).
    epsilon : float, default 1e-6
        What the first steps grow from, above 0.

    Raises
    ------
    HyperparameterError
        If a value lies outside its range.

    Notes
    -----
    For parameters of less than 32 bits the means are float32, as in `Adam`.

    References
    ----------
    .. [1] M. D. Zeiler, "ADADELTA: An adaptive learning rate method", 2012, arXiv:1212.5701.

    Examples
    --------
    The first step is :math:`\sqrt{\epsilon / (1 - \rho)}` where the gradient is large:

    >>> import numpy as np
    >>> import portanet as pn
    >>> ps = {"weight": np.asarray([1.0])}
    >>> state = pn.optimizers.setup(pn.optimizers.AdaDelta(rho=0.75, epsilon=0.01), ps)
    >>> state, ps = pn.optimizers.update(state, ps, {"weight": np.asarray([100.0])})
    >>> ps["weight"].round(4)
    array([0.8])
    """

    elementwise = True
    varying = ("lr",)

    lr: float = 1.0
    rho: float = 0.9
    epsilon: float = 1e-6

    def __post_init__(self) -> None:
        checks.non_negative(self, "lr")
        checks.decays(self, "rho")
        checks.positive(self, "epsilon")

    def init(self, x: Array) -> tuple[Array, Array]:
        zeros = zero_mean(x)
        return zeros, zeros

    def apply(self, state: tuple[Array, Array], x: Array, g: Array) -> tuple[Any, Array]:
        square, square_step = state
        xp = array_namespace(g, square)
        g = cast(xp, g, square.dtype)
        square = (1.0 - self.rho) * (g * g) + self.rho * square
        dx = g * (xp.sqrt(square_step + self.epsilon) / xp.sqrt(square + self.epsilon))
        square_step = (1.0 - self.rho) * (dx * dx) + self.rho * square_step
        return (square, square_step), cast(xp, self.lr * dx, x.dtype)
