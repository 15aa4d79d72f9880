"""Adam and AdamW."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from portanet import checks
from portanet.functional.kernel import kernel
from portanet.interface import array_namespace, backend_of
from portanet.optimizers.base import Array, cast, is_recorded
from portanet.optimizers.moments import Moments, MomentState


@dataclass(frozen=True)
class Adam(Moments):
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

    def apply(self, state: MomentState, x: Array, g: Array) -> tuple[MomentState, Array]:
        mean, square, step = state
        xp = array_namespace(g, mean)
        g = cast(xp, g, mean.dtype)
        mean, square, dx = adam_update(g, mean, square, *self._scalars(step + 1))
        return (mean, square, step + 1), cast(xp, dx, x.dtype)

    @classmethod
    def apply_all(
        cls,
        rules: Sequence[Any],
        states: Sequence[MomentState],
        xs: Sequence[Array],
        gs: Sequence[Array],
    ) -> tuple[list[MomentState], list[Array]]:
        """Apply the rules; a library that can step many arrays at once does so."""
        rule, (mean, _, step) = rules[0], states[0]
        together = backend_of(mean, *gs).kernels.get("adam_update_all")
        # Steps that are recorded may differ in other calls, and are no numbers for such a kernel.
        recorded = is_recorded(step)
        alike = (
            together is not None
            and not recorded
            and all(
                r is rule and s[2] == step and s[0].dtype == mean.dtype == g.dtype
                for r, s, g in zip(rules, states, gs, strict=True)
            )
        )
        if together is None or not alike:
            return super().apply_all(rules, states, xs, gs)
        means, squares = [s[0] for s in states], [s[1] for s in states]
        means, squares, steps = together(gs, means, squares, *rule._scalars(step + 1))
        rows = zip(xs, steps, strict=True)
        states = [(m, v, step + 1) for m, v in zip(means, squares, strict=True)]
        return states, [rule._decayed(x, dx) for x, dx in rows]

    def _scalars(self, step: int) -> tuple[float, float, float, float]:
        """Return both betas, and lr and epsilon, which carry the two bias corrections."""
        beta1, beta2 = self.betas
        correction = (1.0 - beta2**step) ** 0.5
        return beta1, beta2, self.lr * correction / (1.0 - beta1**step), self.epsilon * correction

    def _decayed(self, x: Array, dx: Array) -> Array:
        return dx


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

    varying = ("lr", "weight_decay")

    weight_decay: float = 0.01

    def __post_init__(self) -> None:
        super().__post_init__()
        checks.non_negative(self, "weight_decay")

    def apply(self, state: MomentState, x: Array, g: Array) -> tuple[MomentState, Array]:
        state, dx = super().apply(state, x, g)
        return state, self._decayed(x, dx)

    def _decayed(self, x: Array, dx: Array) -> Array:
        return dx + (self.lr * self.weight_decay) * x


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
