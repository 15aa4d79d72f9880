"""Adam in another direction or at another length: RAdam, NAdam, OAdam."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from portanet import checks
from portanet.optimizers.base import Array, number_at
from portanet.optimizers.moments import Moments, MomentState


@dataclass(frozen=True)
class RAdam(Moments):
    r"""RAdam: Adam whose first steps, with too few squares to divide by, are rectified.

    With :math:`m` and :math:`v` as in `Adam`, :math:`\rho_\infty = 2 / (1 - \beta_2) - 1` and
    :math:`\rho = \rho_\infty - 2 t \beta_2^t / (1 - \beta_2^t)`:

    .. math::

        x \leftarrow x - \frac{\eta m}{1 - \beta_1^t} \begin{cases}
            r \sqrt{1 - \beta_2^t} / (\sqrt{v} + \epsilon) & \rho > 4 \\
            1 & \text{otherwise}
        \end{cases}
        \qquad
        r^2 = \frac{(\rho - 4)(\rho - 2) \rho_\infty}{(\rho_\infty - 4)(\rho_\infty - 2) \rho}

    Parameters
    ----------
    lr, betas, epsilon
        As in `Adam`.

    Raises
    ------
    HyperparameterError
        If a value lies outside its range.

    Notes
    -----
    The threshold is the paper's; PyTorch divides from :math:`\rho > 5` on, a step later.

    References
    ----------
    .. [1] L. Liu et al., "On the variance of the adaptive learning rate and beyond", ICLR 2020,
       arXiv:1908.03265.

    Examples
    --------
    The first steps are those of a gradient with momentum:

    >>> import numpy as np
    >>> import portanet as pn
    >>> ps = {"weight": np.asarray([1.0, 2.0])}
    >>> state = pn.optimizers.setup(pn.optimizers.RAdam(0.1), ps)
    >>> state, ps = pn.optimizers.update(state, ps, {"weight": np.asarray([5.0, -0.5])})
    >>> ps["weight"].round(6)
    array([0.5 , 2.05])
    """

    def step(self, xp: Any, state: MomentState, g: Array) -> tuple[MomentState, Array]:
        mean, square, step = state
        mean, square = self.averaged(mean, square, g)
        rectified = number_at(step, Rectification(self.betas[1], divides=False))
        divides = number_at(step, Rectification(self.betas[1], divides=True))
        lr = self.lr * rectified / (1.0 - self.betas[0] ** (step + 1))
        # The root times 1 plus 0, or times 0 plus 1.
        scale = divides * (xp.sqrt(square) + self.epsilon) + (1.0 - divides)
        return (mean, square, step + 1), lr * (mean / scale)


@dataclass(frozen=True)
class Rectification:
    """What `RAdam` multiplies by after so many steps, or whether it divides: 1 or 0."""

    beta2: float
    divides: bool

    def __call__(self, step: int) -> float:
        most, power = 2.0 / (1.0 - self.beta2) - 1.0, self.beta2 ** (step + 1)
        terms = most - 2.0 * (step + 1) * power / (1.0 - power)
        if self.divides or terms <= 4.0:
            return float(terms > 4.0) if self.divides else 1.0
        ratio = (terms - 4.0) * (terms - 2.0) * most / ((most - 4.0) * (most - 2.0) * terms)
        return (ratio * (1.0 - power)) ** 0.5


@dataclass(frozen=True)
class NAdam(Moments):
    r"""NAdam: Adam with Nesterov's momentum.

    With :math:`m` and :math:`v` as in `Adam`, and
    :math:`\mu_t = \beta_1 (1 - 0.96^{t \psi} / 2)`:

    .. math::

        x \leftarrow x - \frac{\eta}{\sqrt{v / (1 - \beta_2^t)} + \epsilon} \Bigl(
            \frac{\mu_{t+1} m}{1 - \prod_{i=1}^{t+1} \mu_i}
            + \frac{(1 - \mu_t) g}{1 - \prod_{i=1}^{t} \mu_i} \Bigr)

    Parameters
    ----------
    lr : float, default 0.002
        The learning rate :math:`\eta`, not negative. The defaults are PyTorch's.
    betas, epsilon
        As in `Adam`.
    momentum_decay : float, default 4e-3
        The rate :math:`\psi` at which the momentum warms up, not negative. With 0 it is half of
        :math:`\beta_1` throughout.

    Raises
    ------
    HyperparameterError
        If a value lies outside its range.

    Notes
    -----
    The first version of the paper, and Optimisers.jl, multiply :math:`v` by :math:`\beta_2` under
    the root; PyTorch, TensorFlow and this do not.

    References
    ----------
    .. [1] T. Dozat, "Incorporating Nesterov momentum into Adam", ICLR workshop 2016.

    Examples
    --------
    >>> import numpy as np
    >>> import portanet as pn
    >>> ps = {"weight": np.asarray([1.0])}
    >>> state = pn.optimizers.setup(pn.optimizers.NAdam(0.1), ps)
    >>> state, ps = pn.optimizers.update(state, ps, {"weight": np.asarray([5.0])})
    >>> ps["weight"].round(4)
    array([0.8944])
    """

    lr: float = 0.002
    momentum_decay: float = 4e-3

    def __post_init__(self) -> None:
        super().__post_init__()
        checks.non_negative(self, "momentum_decay")

    def step(self, xp: Any, state: MomentState, g: Array) -> tuple[MomentState, Array]:
        mean, square, step = state
        mean, square = self.averaged(mean, square, g)
        shares = [
            self.lr * number_at(step, NesterovShare(self.betas[0], self.momentum_decay, of_mean))
            for of_mean in (True, False)
        ]
        root = (1.0 - self.betas[1] ** (step + 1)) ** 0.5
        numerator = (shares[0] * root) * mean + (shares[1] * root) * g
        return (mean, square, step + 1), numerator / (xp.sqrt(square) + self.epsilon * root)


@dataclass(frozen=True)
class NesterovShare:
    """How much of the mean, or else of the gradient, is in a step of `NAdam`."""

    beta1: float
    decay: float
    of_mean: bool

    def __call__(self, step: int) -> float:
        now, then = (_momentum(self.beta1, self.decay, t) for t in (step + 1, step + 2))
        product = _product(self.beta1, self.decay, step + 1)
        return then / (1.0 - product * then) if self.of_mean else (1.0 - now) / (1.0 - product)


def _momentum(beta1: float, decay: float, t: int) -> float:
    return beta1 * (1.0 - 0.5 * 0.96 ** (t * decay))


@lru_cache(maxsize=64)
def _products(beta1: float, decay: float) -> list[float]:
    """Return the products of the first momenta that are known so far; they end with zero."""
    return [1.0]


def _product(beta1: float, decay: float, count: int) -> float:
    known = _products(beta1, decay)
    while len(known) <= count and known[-1] > 0.0:
        known.append(known[-1] * _momentum(beta1, decay, len(known)))
    return known[min(count, len(known) - 1)]


@dataclass(frozen=True)
class OAdam(Moments):
    r"""Optimistic Adam, for games such as adversarial networks.

    .. math:: x \leftarrow x - 2 d_t + d_{t-1}

    with :math:`d_t` the step that `Adam` takes, and :math:`d_0 = 0`.

    Parameters
    ----------
    lr : float, default 0.001
        The learning rate :math:`\eta`, not negative.
    betas : tuple of two floats, default (0.5, 0.9)
        The decay rates of the two means, each in [0, 1).
    epsilon
        As in `Adam`.

    Raises
    ------
    HyperparameterError
        If a value lies outside its range.

    References
    ----------
    .. [1] C. Daskalakis, A. Ilyas, V. Syrgkanis, H. Zeng, "Training GANs with optimism", ICLR
       2018, arXiv:1711.00141.

    Examples
    --------
    >>> import numpy as np
    >>> import portanet as pn
    >>> ps = {"weight": np.asarray([1.0])}
    >>> state = pn.optimizers.setup(pn.optimizers.OAdam(0.1), ps)
    >>> for _ in range(2):
    ...     state, ps = pn.optimizers.update(state, ps, {"weight": np.asarray([5.0])})
    ...     print(ps["weight"].round(4))
    [0.8]
    [0.7]
    """

    betas: tuple[float, float] = (0.5, 0.9)

    def init(self, x: Array) -> Any:
        mean, square, step = super().init(x)
        return mean, square, mean, step

    def step(self, xp: Any, state: Any, g: Array) -> tuple[Any, Array]:
        mean, square, before, step = state
        beta1, beta2 = self.betas
        mean, square = self.averaged(mean, square, g)
        root = (1.0 - beta2 ** (step + 1)) ** 0.5
        lr, epsilon = self.lr * root / (1.0 - beta1 ** (step + 1)), self.epsilon * root
        adam = lr * (mean / (xp.sqrt(square) + epsilon))
        return (mean, square, adam, step + 1), 2.0 * adam - before
