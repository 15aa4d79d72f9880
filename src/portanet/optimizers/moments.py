"""What the rules of Adam's family share: running means of the gradient and of its square."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from portanet import checks
from portanet.interface import array_namespace
from portanet.optimizers.base import Array, Rule, cast, zero_mean
from portanet.tracing.record.host import Counter

MomentState = tuple[Array, Array, Any]


@dataclass(frozen=True)
class Moments(Rule):
    """The base of a rule whose state is two means and the count of steps.

    A subclass supplies `step`, in the dtype of the means; they are float32 for parameters of less
    than 32 bits.
    """

    elementwise: ClassVar[bool] = True
    varying: ClassVar[tuple[str, ...]] = ("lr",)

    lr: float = 0.001
    betas: tuple[float, float] = (0.9, 0.999)
    epsilon: float = 1e-8

    def __post_init__(self) -> None:
        checks.non_negative(self, "lr")
        checks.positive(self, "epsilon")
        check_betas(self)

    def init(self, x: Array) -> Any:
        zeros = zero_mean(x)
        return zeros, zeros, Counter(0)

    def apply(self, state: Any, x: Array, g: Array) -> tuple[Any, Array]:
        means = state[0]
        xp = array_namespace(g, means)
        state, dx = self.step(xp, state, cast(xp, g, means.dtype))
        return state, cast(xp, dx, x.dtype)

    def step(self, xp: Any, state: Any, g: Array) -> tuple[Any, Array]:
        """Return the next state and the step, both in the dtype of the means."""
        raise NotImplementedError(f"{type(self).__name__} has no step(self, xp, state, g)")

    def averaged(self, mean: Array, square: Array, g: Array) -> tuple[Array, Array]:
        """Return the next running means of the gradient and of its square."""
        beta1, beta2 = self.betas
        return (1.0 - beta1) * g + beta1 * mean, (1.0 - beta2) * (g * g) + beta2 * square


def check_betas(rule: Any) -> None:
    """Check that the field `betas` is a pair of decay rates, and make it one of floats."""
    betas = rule.betas
    if not isinstance(betas, (tuple, list)) or len(betas) != 2:
        checks.refuse(rule, "betas is a pair of numbers", betas)
    for index, beta in enumerate(betas):
        if isinstance(beta, bool) or not isinstance(beta, (int, float)) or not 0 <= beta < 1:
            checks.refuse(rule, f"0 <= betas[{index}] < 1", beta)
    object.__setattr__(rule, "betas", (float(betas[0]), float(betas[1])))
