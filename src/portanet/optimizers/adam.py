"""Adam and AdamW."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from portanet import checks
from portanet.backends import array_namespace
from portanet.functional._kernel import kernel
from portanet.optimizers.base import Array, Rule, cast, zero_mean


@dataclass(frozen=True)
class Adam(Rule):
    r"""Adam: steps scaled by running means of the gradient and of its square.

    .. math::

        m &\leftarrow \beta_1 m + (1 - \beta_1) g \\
        v &\leftarrow \beta_2 v + (1 - \beta_2) g^2 \\
        x &\leftarrow x - \eta \frac{m / (1 - \beta_1^t)}{\sqrt{v / (1 - \beta_2^t)} + \epsilon}

    with :math:`t` the number of the step, from 1.

    Parameters
    ----------
    lr : float, default 0.001
        The learning rate :math:`\eta`, not negative.
    betas : tuple of two floats, default (0.9, 0.999)
        The decay rates of the two means, each in [0, 1).
    epsilon : float, default 1e-8
        Added to the denominator, above 0.

    Raises
    ------
    HyperparameterError
        If a value lies outside its range.

    Notes
    -----
    The means have the dtype of the parameter. For a parameter of less than 32 bits (float16,
    bfloat16) they are float32, and only the step is rounded: the square of a float16 gradient
    of 1e-4 would be zero.

    References
    ----------
    .. [1] D. P. Kingma, J. Ba, "Adam: A method for stochastic optimization", 2014,
       arXiv:1412.6980.

    Examples
    --------
    The first step is `lr` against the sign of the gradient:

    >>> import numpy as np
    >>> import portanet as pn
    >>> ps = {"weight": np.asarray([1.0, 2.0])}
    >>> state = pn.optimizers.setup(pn.optimizers.Adam(0.1), ps)
    >>> state, ps = pn.optimizers.update(state, ps, {"weight": np.asarray([5.0, -0.01])})
    >>> ps["weight"].round(6)
    array([0.9, 2.1])
    """

    lr: float = 0.001
    betas: tuple[float, float] = (0.9, 0.999)
    epsilon: float = 1e-8

    def __post_init__(self) -> None:
        checks.non_negative(self, "lr")
        checks.positive(self, "epsilon")
        _check_betas(self)

    def init(self, x: Array) -> tuple[Array, Array, int]:
        zeros = zero_mean(x)
        return zeros, zeros, 0

    def apply(self, state: tuple[Array, Array, int], x: Array, g: Array) -> tuple[Any, Array]:
        mean, square, step = state
        xp = array_namespace(g, mean)
        g = cast(xp, g, mean.dtype)
        step += 1
        beta1, beta2 = self.betas
        # Both bias corrections act on Python floats: lr and epsilon carry them.
        correction = math.sqrt(1.0 - beta2**step)
        lr = self.lr * correction / (1.0 - beta1**step)
        epsilon = self.epsilon * correction
        mean, square, dx = adam_update(g, mean, square, beta1, beta2, lr, epsilon)
        return (mean, square, step), cast(xp, dx, x.dtype)


@dataclass(frozen=True)
class AdamW(Adam):
    r"""Adam with decoupled weight decay.

    The step of `Adam` plus :math:`\eta \lambda x`: the decay does not pass through the means, and
    is scaled by the learning rate, as in PyTorch.

    Parameters
    ----------
    lr, betas, epsilon
        As in `Adam`.
    weight_decay : float, default 0.01
        The decay rate :math:`\lambda`, not negative. PyTorch's default; Lux's is 0. It acts on
        every array, biases too.

    Raises
    ------
    HyperparameterError
        If a value lies outside its range.

    References
    ----------
    .. [1] I. Loshchilov, F. Hutter, "Decoupled weight decay regularization", 2017,
       arXiv:1711.05101.

    Examples
    --------
    >>> import numpy as np
    >>> import portanet as pn
    >>> ps = {"weight": np.asarray([1.0, 2.0])}
    >>> state = pn.optimizers.setup(pn.optimizers.AdamW(0.1, weight_decay=0.5), ps)
    >>> state, ps = pn.optimizers.update(state, ps, {"weight": np.zeros(2)})
    >>> ps
    {'weight': array([0.95, 1.9 ])}
    """

    weight_decay: float = 0.01

    def __post_init__(self) -> None:
        super().__post_init__()
        checks.non_negative(self, "weight_decay")

    def apply(self, state: tuple[Array, Array, int], x: Array, g: Array) -> tuple[Any, Array]:
        state, dx = super().apply(state, x, g)
        return state, dx + (self.lr * self.weight_decay) * x


@kernel
def adam_update(
    g: Array,
    mean: Array,
    square: Array,
    beta1: float,
    beta2: float,
    lr: float,
    epsilon: float,
) -> tuple[Array, Array, Array]:
    """Return the next two means of `Adam` and its step; bias corrections are in the scalars."""
    xp = array_namespace(g)
    mean = (1.0 - beta1) * g + beta1 * mean
    square = (1.0 - beta2) * (g * g) + beta2 * square
    return mean, square, mean / (xp.sqrt(square) + epsilon) * lr


def _check_betas(rule: Any) -> None:
    betas = rule.betas
    if not isinstance(betas, (tuple, list)) or len(betas) != 2:
        checks.refuse(rule, "betas is a pair of numbers", betas)
    for index, beta in enumerate(betas):
        if isinstance(beta, bool) or not isinstance(beta, (int, float)) or not 0 <= beta < 1:
            checks.refuse(rule, f"0 <= betas[{index}] < 1", beta)
    object.__setattr__(rule, "betas", (float(betas[0]), float(betas[1])))
