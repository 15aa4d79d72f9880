"""Adam with another denominator: AdaMax, AMSGrad, AdaBelief."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from portanet.optimizers.base import Array, zero_mean
from portanet.optimizers.moments import Moments, MomentState


@dataclass(frozen=True)
class AdaMax(Moments):
    r"""AdaMax: Adam with the largest recent gradient in the place of the root mean square.

    .. math::

        m &\leftarrow \beta_1 m + (1 - \beta_1) g \\
        u &\leftarrow \max(\beta_2 u, |g| + \epsilon) \\
        x &\leftarrow x - \frac{\eta}{1 - \beta_1^t} \frac{m}{u}

    Parameters
    ----------
    lr, betas
        As in `Adam`.
    epsilon : float, default 1e-8
        Keeps :math:`u` above 0, where PyTorch has it; the paper has none.

    Raises
    ------
    HyperparameterError
        If a value lies outside its range.

    References
    ----------
    .. [1] D. P. Kingma, J. Ba, "Adam: A method for stochastic optimization", 2014,
       arXiv:1412.6980, section 7.1.

    Examples
    --------
    >>> import numpy as np
    >>> import portanet as pn
    >>> ps = {"weight": np.asarray([1.0, 2.0])}
    >>> state = pn.optimizers.setup(pn.optimizers.AdaMax(0.1), ps)
    >>> state, ps = pn.optimizers.update(state, ps, {"weight": np.asarray([5.0, -0.01])})
    >>> ps["weight"].round(6)
    array([0.9, 2.1])
    """

    def step(self, xp: Any, state: MomentState, g: Array) -> tuple[MomentState, Array]:
        mean, largest, step = state
        beta1, beta2 = self.betas
        mean = (1.0 - beta1) * g + beta1 * mean
        largest = xp.maximum(beta2 * largest, xp.abs(g) + self.epsilon)
        return (mean, largest, step + 1), self.lr / (1.0 - beta1 ** (step + 1)) * (mean / largest)


@dataclass(frozen=True)
class AMSGrad(Moments):
    r"""AMSGrad: Adam whose denominator never falls.

    .. math::

        m &\leftarrow \beta_1 m + (1 - \beta_1) g \\
        v &\leftarrow \beta_2 v + (1 - \beta_2) g^2 \\
        \hat v &\leftarrow \max(\hat v, v) \\
        x &\leftarrow x - \eta \frac{m}{\sqrt{\hat v} + \epsilon}

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
    This is the paper's algorithm, without the corrections of the bias that
    ``torch.optim.Adam(amsgrad=True)`` makes: the first steps are about three times as long.

    References
    ----------
    .. [1] S. J. Reddi, S. Kale, S. Kumar, "On the convergence of Adam and beyond", ICLR 2018,
       arXiv:1904.09237.

    Examples
    --------
    >>> import numpy as np
    >>> import portanet as pn
    >>> ps = {"weight": np.asarray([1.0])}
    >>> state = pn.optimizers.setup(pn.optimizers.AMSGrad(0.1, (0.5, 0.75)), ps)
    >>> state, ps = pn.optimizers.update(state, ps, {"weight": np.asarray([8.0])})
    >>> ps["weight"].round(4)  # a step of lr * 4 / 4
    array([0.9])
    """

    def init(self, x: Array) -> Any:
        zeros = zero_mean(x)
        return zeros, zeros, zeros

    def step(self, xp: Any, state: Any, g: Array) -> tuple[Any, Array]:
        mean, square, largest = state
        mean, square = self.averaged(mean, square, g)
        largest = xp.maximum(largest, square)
        return (mean, square, largest), self.lr * (mean / (xp.sqrt(largest) + self.epsilon))


@dataclass(frozen=True)
class AdaBelief(Moments):
    r"""AdaBelief: long steps where the gradient is what its mean foretold.

    .. math::

        m &\leftarrow \beta_1 m + (1 - \beta_1) g \\
        s &\leftarrow \beta_2 s + (1 - \beta_2) (g - m)^2 + \epsilon \\
        x &\leftarrow x - \eta \frac{m / (1 - \beta_1^t)}{\sqrt{s / (1 - \beta_2^t)} + \epsilon}

    Parameters
    ----------
    lr, betas
        As in `Adam`.
    epsilon : float, default 1e-16
        Added to the variance at each step, and to the denominator, above 0.

    Raises
    ------
    HyperparameterError
        If a value lies outside its range.

    References
    ----------
    .. [1] J. Zhuang et al., "AdaBelief optimizer: Adapting stepsizes by the belief in observed
       gradients", NeurIPS 2020, arXiv:2010.07468.

    Examples
    --------
    >>> import numpy as np
    >>> import portanet as pn
    >>> ps = {"weight": np.asarray([1.0])}
    >>> state = pn.optimizers.setup(pn.optimizers.AdaBelief(0.1, (0.75, 0.9)), ps)
    >>> state, ps = pn.optimizers.update(state, ps, {"weight": np.asarray([8.0])})
    >>> ps["weight"].round(4)  # a step of lr * 8 / 6
    array([0.8667])
    """

    epsilon: float = 1e-16

    def step(self, xp: Any, state: MomentState, g: Array) -> tuple[MomentState, Array]:
        mean, variance, step = state
        beta1, beta2 = self.betas
        mean = (1.0 - beta1) * g + beta1 * mean
        surprise = g - mean
        variance = (1.0 - beta2) * (surprise * surprise) + beta2 * variance + self.epsilon
        root = (1.0 - beta2 ** (step + 1)) ** 0.5
        lr, epsilon = self.lr * root / (1.0 - beta1 ** (step + 1)), self.epsilon * root
        return (mean, variance, step + 1), lr * (mean / (xp.sqrt(variance) + epsilon))
