"""LAMB: Adam's directions at lengths in proportion to the parameters."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from portanet import checks
from portanet.interface import array_namespace
from portanet.optimizers.base import Array, cast
from portanet.optimizers.moments import Moments, MomentState
from portanet.optimizers.norms import norm


@dataclass(frozen=True)
class LAMB(Moments):
    r"""LAMB: each array moves by a share of its own norm, in Adam's direction.

    With :math:`m` and :math:`v` as in `Adam`:

    .. math::

        d &= \frac{m / (1 - \beta_1^t)}{\sqrt{v / (1 - \beta_2^t)} + \epsilon} + \lambda x \\
        x &\leftarrow x - \eta \frac{\lVert x \rVert}{\lVert d \rVert} d

    It is for batches of thousands. The norms are those of one parameter array. Where one of them is
    0, as that of a bias at the start, the step is :math:`\eta d`.

    Parameters
    ----------
    lr, betas
        As in `Adam`.
    epsilon : float, default 1e-6
        Added to the denominator, above 0.
    weight_decay : float, default 0.0
        The decay rate :math:`\lambda`, not negative.

    Raises
    ------
    HyperparameterError
        If a value lies outside its range.

    References
    ----------
    .. [1] Y. You et al., "Large batch optimization for deep learning: Training BERT in 76 minutes",
       ICLR 2020, arXiv:1904.00962.

    Examples
    --------
    >>> import numpy as np
    >>> import portanet as pn
    >>> ps = {"weight": np.asarray([3.0, 4.0])}
    >>> state = pn.optimizers.setup(pn.optimizers.LAMB(0.1), ps)
    >>> state, ps = pn.optimizers.update(state, ps, {"weight": np.asarray([5.0, -0.5])})
    >>> ps["weight"].round(4)  # a tenth of a norm of 5
    array([2.6464, 4.3536])
    """

    elementwise: ClassVar[bool] = False
    varying: ClassVar[tuple[str, ...]] = ("lr", "weight_decay")

    epsilon: float = 1e-6
    weight_decay: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        checks.non_negative(self, "weight_decay")

    def apply(self, state: MomentState, x: Array, g: Array) -> tuple[MomentState, Array]:
        mean, square, step = state
        xp, (beta1, beta2) = array_namespace(g, mean), self.betas
        wide = cast(xp, x, mean.dtype)
        mean, square = self.averaged(mean, square, cast(xp, g, mean.dtype))
        root = (1.0 - beta2 ** (step + 1)) ** 0.5
        adam = mean / (xp.sqrt(square) + self.epsilon * root)
        direction = (root / (1.0 - beta1 ** (step + 1))) * adam + self.weight_decay * wide
        dx = (self.lr * _ratio(xp, wide, direction)) * direction
        return (mean, square, step + 1), cast(xp, dx, x.dtype)


def _ratio(xp: Any, x: Array, direction: Array) -> Array:
    """Return the norm of the parameter over that of its direction, 1 if one of them is 0."""
    size, length = norm(xp, x), norm(xp, direction)
    one = xp.ones_like(size)
    usual = xp.logical_and(size > 0, length > 0)
    return xp.where(usual, size / xp.where(usual, length, one), one)
