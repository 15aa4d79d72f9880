"""Adafactor: Adam's scaling in sublinear memory."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar

from portanet import checks
from portanet.errors import DTypeError
from portanet.interface import array_namespace
from portanet.optimizers.base import Array, Rule, cast, zero_mean
from portanet.optimizers.complex_parts import is_complex
from portanet.tracing.record.host import Counter


@dataclass(frozen=True)
class Adafactor(Rule):
    r"""Adafactor: the mean squares of a matrix as the product of a row and a column.

    With :math:`\beta_t = 1 - t^{-c}` and :math:`\rho_t = \min(\eta, t^{-1/2})`, for a matrix:

    .. math::

        R &\leftarrow \beta_t R + (1 - \beta_t) \operatorname{mean}_{columns}(g^2 + \epsilon_1) \\
        C &\leftarrow \beta_t C + (1 - \beta_t) \operatorname{mean}_{rows}(g^2 + \epsilon_1) \\
        u &= g / \sqrt{R C^T / \operatorname{mean}(R)} \\
        x &\leftarrow x - \max(\epsilon_2, \operatorname{RMS}(x)) \, \rho_t \,
             \frac{u}{\max(1, \operatorname{RMS}(u) / d)}

    A vector has the running mean of its squares in the place of the product. Of an array with more
    axes the last two are a matrix.

    Parameters
    ----------
    lr : float, default 0.01
        The largest relative step :math:`\eta`, not negative.
    clip : float, default 1.0
        The largest root mean square :math:`d` of a direction, above 0.
    decay_power : float, default 0.8
        The exponent :math:`c` of the decay rates, above 0.
    epsilons : tuple of two floats, default (1e-30, 1e-3)
        What is added to squares, and the least size of a parameter that steps are relative to.
    weight_decay : float, default 0.0
        The decoupled decay rate, not negative: :math:`\eta \lambda x` is subtracted besides.

    Raises
    ------
    HyperparameterError
        If a value lies outside its range.
    DTypeError
        In `setup`, if a parameter is complex.

    Notes
    -----
    There is no running mean of the gradient: put `Momentum` behind it, ``chain(Adafactor(),
    Momentum(1.0))``, if one is wanted. For a matrix of n by m the state holds n + m numbers, of
    32 bits at least.

    References
    ----------
    .. [1] N. Shazeer, M. Stern, "Adafactor: Adaptive learning rates with sublinear memory cost",
       ICML 2018, arXiv:1804.04235, algorithms 4 and 5.

    Examples
    --------
    >>> import numpy as np
    >>> import portanet as pn
    >>> ps = {"weight": np.full((2, 3), 2.0)}
    >>> state = pn.optimizers.setup(pn.optimizers.Adafactor(0.01), ps)
    >>> [x.shape for x in state["weight"].state[:2]]
    [(2,), (3,)]
    >>> state, ps = pn.optimizers.update(state, ps, {"weight": np.ones((2, 3))})
    >>> ps["weight"].round(4)  # a hundredth of 2
    array([[1.98, 1.98, 1.98],
           [1.98, 1.98, 1.98]])
    """

    varying: ClassVar[tuple[str, ...]] = ("lr", "weight_decay")

    lr: float = 0.01
    clip: float = 1.0
    decay_power: float = 0.8
    epsilons: tuple[float, float] = (1e-30, 1e-3)
    weight_decay: float = 0.0

    def __post_init__(self) -> None:
        checks.non_negative(self, "lr", "weight_decay")
        checks.positive(self, "clip", "decay_power")
        checks.pairs(self, "epsilons")
        if min(self.epsilons) <= 0:
            checks.refuse(self, "epsilons > 0", self.epsilons)

    def check(self, x: Array) -> None:
        if is_complex(x):
            raise DTypeError(
                f"Adafactor: x.dtype is real: {x.dtype}: give complex parameters another rule by "
                f"pn.optimizers.Groups"
            )

    def init(self, x: Array) -> Any:
        zeros = zero_mean(x)
        if len(x.shape) < 2:
            return zeros, Counter(0)
        xp = array_namespace(zeros)
        return xp.sum(zeros, axis=-1), xp.sum(zeros, axis=-2), Counter(0)

    def apply(self, state: Any, x: Array, g: Array) -> tuple[Any, Array]:
        *means, step = state
        xp = array_namespace(g, *means)
        if math.prod(x.shape) == 0:
            return (*means, step + 1), g
        wide = cast(xp, x, means[0].dtype)
        g = cast(xp, g, means[0].dtype)
        new = 1.0 * (step + 1) ** -self.decay_power  # 1 - beta
        squares = g * g + self.epsilons[0]
        axes = (-1, -2) if len(means) == 2 else ((),)
        found = [xp.mean(squares, axis=axis) if axis else squares for axis in axes]
        means = [(1.0 - new) * mean + new * now for mean, now in zip(means, found, strict=True)]
        direction = g / xp.sqrt(_product(xp, means))
        direction = direction / xp.maximum(_rms(xp, direction) / self.clip, 1.0)
        size = xp.maximum(_rms(xp, wide), self.epsilons[1])
        ones = xp.ones_like(size)
        relative = xp.minimum(ones * self.lr, ones * (step + 1) ** -0.5)
        dx = (size * relative) * direction + (self.lr * self.weight_decay) * wide
        return (*means, step + 1), cast(xp, dx, x.dtype)


def _product(xp: Any, means: list[Array]) -> Array:
    """Return the mean squares of all entries from those of rows and columns."""
    if len(means) == 1:
        return means[0]
    rows, columns = means
    rows = rows / xp.mean(rows, axis=-1, keepdims=True)
    return rows[..., :, None] * columns[..., None, :]


def _rms(xp: Any, x: Array) -> Array:
    """Return the root mean square of all entries."""
    return xp.sqrt(xp.mean(xp.square(x)))
