"""Rules that use the sign of a direction and not its size: Rprop and Lion."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from portanet import checks
from portanet.interface import array_namespace
from portanet.optimizers.base import Array, Rule, cast, zero_mean
from portanet.optimizers.moments import check_betas


@dataclass(frozen=True)
class Rprop(Rule):
    r"""Resilient backpropagation: each entry has a step size of its own, which signs steer.

    .. math::

        \Delta &\leftarrow \begin{cases}
            \min(\eta^+ \Delta, \Delta_{\max}) & g \, g' > 0 \\
            \max(\eta^- \Delta, \Delta_{\min}) & g \, g' < 0
        \end{cases} \\
        x &\leftarrow x - \Delta \operatorname{sign}(g)

    with :math:`g'` the gradient before. Where the sign has changed there is no step, and
    :math:`g' = 0` at the next one. It is for gradients of the whole data, not of batches.

    Parameters
    ----------
    lr : float, default 0.01
        The first step size :math:`\Delta`, above 0: a later change has no effect. The defaults are
        PyTorch's.
    factors : tuple of two floats, default (0.5, 1.2)
        The factors :math:`\eta^-`, in (0, 1), and :math:`\eta^+`, above 1.
    limits : tuple of two floats, default (1e-6, 50.0)
        The bounds :math:`\Delta_{\min}` and :math:`\Delta_{\max}` of the step size.

    Raises
    ------
    HyperparameterError
        If a value lies outside its range.

    References
    ----------
    .. [1] M. Riedmiller, H. Braun, "A direct adaptive method for faster backpropagation learning:
       The RPROP algorithm", ICNN 1993.
    .. [2] C. Igel, M. Hüsken, "Improving the Rprop learning algorithm", NC 2000 (this form,
       iRprop−).

    Examples
    --------
    >>> import numpy as np
    >>> import portanet as pn
    >>> ps = {"weight": np.asarray([1.0])}
    >>> state = pn.optimizers.setup(pn.optimizers.Rprop(0.1), ps)
    >>> for g in (3.0, 0.01, -5.0):
    ...     state, ps = pn.optimizers.update(state, ps, {"weight": np.asarray([g])})
    ...     print(ps["weight"].round(4))
    [0.9]
    [0.78]
    [0.78]
    """

    elementwise = True

    lr: float = 0.01
    factors: tuple[float, float] = (0.5, 1.2)
    limits: tuple[float, float] = (1e-6, 50.0)

    def __post_init__(self) -> None:
        checks.positive(self, "lr")
        checks.pairs(self, "factors", "limits")
        if not 0 < self.factors[0] < 1 < self.factors[1]:
            checks.refuse(self, "0 < factors[0] < 1 < factors[1]", self.factors)
        if not 0 < self.limits[0] <= self.limits[1]:
            checks.refuse(self, "0 < limits[0] <= limits[1]", self.limits)

    def init(self, x: Array) -> tuple[Array, Array]:
        zeros = zero_mean(x)
        return zeros, array_namespace(x).full_like(zeros, self.lr)

    def apply(self, state: tuple[Array, Array], x: Array, g: Array) -> tuple[Any, Array]:
        before, size = state
        xp = array_namespace(g, before)
        g = cast(xp, g, before.dtype)
        (shrink, grow), (lowest, highest) = self.factors, self.limits
        change = xp.sign(g) * xp.sign(before)  # a product of gradients can underflow
        size = xp.where(change > 0, xp.minimum(grow * size, highest), size)
        size = xp.where(change < 0, xp.maximum(shrink * size, lowest), size)
        g = xp.where(change < 0, xp.zeros_like(g), g)
        return (g, size), cast(xp, size * xp.sign(g), x.dtype)


@dataclass(frozen=True)
class Lion(Rule):
    r"""Lion: steps of equal size by the sign of a momentum.

    .. math::

        x &\leftarrow x - \eta \bigl(\operatorname{sign}(\beta_1 m + (1 - \beta_1) g)
            + \lambda x\bigr) \\
        m &\leftarrow \beta_2 m + (1 - \beta_2) g

    The learning rate is about a tenth of Adam's, and the decay ten times as large.

    Parameters
    ----------
    lr : float, default 1e-4
        The learning rate :math:`\eta`, not negative.
    betas : tuple of two floats, default (0.9, 0.99)
        The decay rates :math:`\beta_1` of the direction and :math:`\beta_2` of the mean, each in
        [0, 1).
    weight_decay : float, default 0.0
        The decoupled decay rate :math:`\lambda`, not negative.

    Raises
    ------
    HyperparameterError
        If a value lies outside its range.

    Notes
    -----
    This is the paper's algorithm; Optimisers.jl exchanges the weights of the mean. The mean has
    the dtype of the parameter, at least float32.

    References
    ----------
    .. [1] X. Chen et al., "Symbolic discovery of optimization algorithms", NeurIPS 2023,
       arXiv:2302.06675.

    Examples
    --------
    >>> import numpy as np
    >>> import portanet as pn
    >>> ps = {"weight": np.asarray([1.0, 2.0])}
    >>> state = pn.optimizers.setup(pn.optimizers.Lion(0.25), ps)
    >>> pn.optimizers.update(state, ps, {"weight": np.asarray([5.0, -0.01])})[1]
    {'weight': array([0.75, 2.25])}
    """

    elementwise = True
    varying = ("lr", "weight_decay")

    lr: float = 1e-4
    betas: tuple[float, float] = (0.9, 0.99)
    weight_decay: float = 0.0

    def __post_init__(self) -> None:
        checks.non_negative(self, "lr", "weight_decay")
        check_betas(self)

    def init(self, x: Array) -> tuple[Array]:
        return (zero_mean(x),)

    def apply(self, state: tuple[Array], x: Array, g: Array) -> tuple[Any, Array]:
        (mean,) = state
        xp = array_namespace(g, mean)
        wide = cast(xp, g, mean.dtype)
        beta1, beta2 = self.betas
        direction = xp.sign((1.0 - beta1) * wide + beta1 * mean)
        decayed = cast(xp, direction, x.dtype) + self.weight_decay * x
        return ((1.0 - beta2) * wide + beta2 * mean,), self.lr * decayed
