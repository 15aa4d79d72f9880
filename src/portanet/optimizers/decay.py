"""Weight decay: rules that pull parameters towards zero."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from portanet import checks
from portanet.interface import array_namespace
from portanet.optimizers.base import Array, Rule, RuleState


@dataclass(frozen=True)
class _Decay(Rule):
    """The base of both: a rate, and no state."""

    elementwise: ClassVar[bool] = True
    varying: ClassVar[tuple[str, ...]] = ("rate",)

    rate: float

    def __post_init__(self) -> None:
        checks.non_negative(self, "rate")

    def init(self, x: Array) -> RuleState:
        return ()


@dataclass(frozen=True)
class WeightDecay(_Decay):
    r"""Add the gradient of an L2 penalty: :math:`g + \lambda x`.

    In front of `Adam` the decay passes through its means. Behind a rule it is decoupled from the
    gradients [1]_, and takes away the share :math:`\lambda` at each step whatever the learning
    rate; `AdamW` multiplies it by the learning rate. `Masked` chooses what decays.

    Parameters
    ----------
    rate : float, default 5e-4
        The decay rate :math:`\lambda`, not negative.

    Raises
    ------
    HyperparameterError
        If `rate` is negative or not finite.

    References
    ----------
    .. [1] I. Loshchilov, F. Hutter, "Decoupled weight decay regularization", ICLR 2019,
       arXiv:1711.05101.

    Examples
    --------
    >>> import portanet as pn
    >>> pn.optimizers.chain(pn.optimizers.WeightDecay(0.01), pn.optimizers.Momentum(0.1))
    OptimizerChain(WeightDecay(rate=0.01), Momentum(lr=0.1, momentum=0.9))

    Decoupled, and of matrices alone:

    >>> decay = pn.optimizers.Masked(pn.optimizers.WeightDecay(1e-4), lambda path, x: x.ndim > 1)
    >>> rule = pn.optimizers.chain(pn.optimizers.Adam(), decay)
    """

    rate: float = 5e-4

    def apply(self, state: RuleState, x: Array, g: Array) -> tuple[RuleState, Array]:
        return state, g + self.rate * x


@dataclass(frozen=True)
class SignDecay(_Decay):
    r"""Add the gradient of an L1 penalty: :math:`g + \lambda \operatorname{sign}(x)`.

    It makes parameters sparse: small ones are driven to zero, and about it. In front of an adaptive
    rule or behind it, and for chosen parameters alone, as `WeightDecay`.

    Parameters
    ----------
    rate : float, default 1e-3
        The decay rate :math:`\lambda`, not negative.

    Raises
    ------
    HyperparameterError
        If `rate` is negative or not finite.

    References
    ----------
    .. [1] R. Tibshirani, "Regression shrinkage and selection via the lasso", Journal of the Royal
       Statistical Society B 58, 1996.

    Examples
    --------
    >>> import numpy as np
    >>> import portanet as pn
    >>> x = np.asarray([2.0, 0.0, -3.0])
    >>> pn.optimizers.SignDecay(0.5).apply((), x, np.zeros(3))[1]
    array([ 0.5,  0. , -0.5])
    """

    rate: float = 1e-3

    def apply(self, state: RuleState, x: Array, g: Array) -> tuple[RuleState, Array]:
        return state, g + self.rate * array_namespace(x, g).sign(x)
