"""RMSProp."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from portanet import checks
from portanet.interface import array_namespace
from portanet.optimizers.base import Array, Rule, cast, zero_mean


@dataclass(frozen=True)
class RMSProp(Rule):
    r"""RMSProp: the gradient over the root of the running mean of its square.

    .. math::

        v &\leftarrow \rho v + (1 - \rho) g^2 \\
        x &\leftarrow x - \eta \frac{g}{\sqrt{v} + \epsilon}

    Parameters
    ----------
    lr : float, default 0.01
        The learning rate :math:`\eta`, not negative. The defaults are PyTorch's.
    rho : float, default 0.99
        The decay rate :math:`\rho` of the mean, in [0, 1).
    epsilon : float, default 1e-8
        Added to the denominator, above 0.
    centered : bool, default False
        Keep the running mean :math:`\bar g` of the gradient as well and divide by the root of
        the variance, :math:`\sqrt{v - \bar g^2} + \epsilon`.

    Raises
    ------
    HyperparameterError
        If a value lies outside its range.

    Notes
    -----
    Momentum on top is ``chain(RMSProp(lr), SGD(1.0, momentum=0.9))``. For parameters of less than
    32 bits the means are float32, as in `Adam`.

    References
    ----------
    .. [1] T. Tieleman, G. Hinton, "Lecture 6.5: RMSProp", COURSERA: Neural networks for machine
       learning, 2012.
    .. [2] A. Graves, "Generating sequences with recurrent neural networks", 2013,
       arXiv:1308.0850 (the centered form).

    Examples
    --------
    >>> import numpy as np
    >>> import portanet as pn
    >>> ps = {"weight": np.asarray([1.0, 2.0])}
    >>> state = pn.optimizers.setup(pn.optimizers.RMSProp(0.1), ps)
    >>> state, ps = pn.optimizers.update(state, ps, {"weight": np.asarray([5.0, -0.01])})
    >>> ps["weight"].round(4)
    array([0., 3.])
    """

    elementwise = True
    varying = ("lr",)

    lr: float = 0.01
    rho: float = 0.99
    epsilon: float = 1e-8
    centered: bool = False

    def __post_init__(self) -> None:
        checks.non_negative(self, "lr")
        checks.decays(self, "rho")
        checks.positive(self, "epsilon")
        checks.flags(self, "centered")

    def init(self, x: Array) -> tuple[Array, ...]:
        zeros = zero_mean(x)
        return (zeros, zeros) if self.centered else (zeros,)

    def apply(self, state: tuple[Array, ...], x: Array, g: Array) -> tuple[Any, Array]:
        square, *means = state
        xp = array_namespace(g, square)
        g = cast(xp, g, square.dtype)
        square = (1.0 - self.rho) * (g * g) + self.rho * square
        variance = square
        if self.centered:
            # A mean that is missing began at zero: `centered` was switched on after the setup.
            mean = (1.0 - self.rho) * g
            if means:
                mean = mean + self.rho * means[0]
            means = [mean]
            # Rounding can bring the difference below zero.
            variance = xp.maximum(square - mean * mean, 0.0)
        dx = self.lr * g / (xp.sqrt(variance) + self.epsilon)
        return (square, *means), cast(xp, dx, x.dtype)
