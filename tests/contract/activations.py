"""The catalogue of the contract tests, for functions of one number.

Values and derivatives are held against the oracles in `tests/functional/test_activations.py`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

SELU_SLOPE = 1.0507009873554805 * 1.6732632423543772
INFINITY = math.inf
UNDEFINED = math.nan


@dataclass(frozen=True)
class Elementwise:
    """A function of one number: its oracle, its limits, and its derivative at its seams.

    The limits are those of the value at minus and plus infinity; `UNDEFINED` where the formula
    multiplies infinity by zero there.
    """

    oracle: Callable[[Any, Any], Any]
    low: float
    high: float
    seams: tuple[tuple[float, float], ...]

    @property
    def limits(self) -> tuple[tuple[float, float], ...]:
        return (-INFINITY, self.low), (INFINITY, self.high)


ELEMENTWISE = {
    "celu": Elementwise(lambda t, x: t.nn.functional.celu(x), -1.0, INFINITY, ((0.0, 1.0),)),
    "elu": Elementwise(lambda t, x: t.nn.functional.elu(x), -1.0, INFINITY, ((0.0, 1.0),)),
    "erf": Elementwise(lambda t, x: t.erf(x), -1.0, 1.0, ((0.0, 2 / math.sqrt(math.pi)),)),
    "erfc": Elementwise(lambda t, x: t.erfc(x), 2.0, 0.0, ((0.0, -2 / math.sqrt(math.pi)),)),
    "gelu": Elementwise(
        lambda t, x: t.nn.functional.gelu(x, approximate="tanh"),
        UNDEFINED, INFINITY, ((0.0, 0.5),),
    ),
    "gelu_erf": Elementwise(
        lambda t, x: t.nn.functional.gelu(x), UNDEFINED, INFINITY, ((0.0, 0.5),)
    ),
    "hard_sigmoid": Elementwise(
        lambda t, x: t.nn.functional.relu6(x + 3) / 6, 0.0, 1.0, ((-3.0, 0.0), (3.0, 0.0))
    ),
    "hard_swish": Elementwise(
        lambda t, x: x * t.nn.functional.relu6(x + 3) / 6,
        UNDEFINED, INFINITY, ((-3.0, 0.0), (3.0, 1.0)),
    ),
    "hard_tanh": Elementwise(
        lambda t, x: t.nn.functional.hardtanh(x), -1.0, 1.0, ((-1.0, 0.0), (1.0, 0.0))
    ),
    "identity": Elementwise(lambda t, x: x * 1, -INFINITY, INFINITY, ((0.0, 1.0),)),
    "leaky_relu": Elementwise(
        lambda t, x: t.nn.functional.leaky_relu(x), -INFINITY, INFINITY, ((0.0, 0.01),)
    ),
    "lisht": Elementwise(lambda t, x: x * t.tanh(x), INFINITY, INFINITY, ((0.0, 0.0),)),
    "log_cosh": Elementwise(
        lambda t, x: t.logaddexp(x, -x) - math.log(2),
        INFINITY, INFINITY, ((0.0, 0.0), (1.0, math.tanh(1.0))),
    ),
    "log_sigmoid": Elementwise(
        lambda t, x: t.nn.functional.logsigmoid(x), -INFINITY, 0.0, ((0.0, 0.5),)
    ),
    "mish": Elementwise(lambda t, x: t.nn.functional.mish(x), UNDEFINED, INFINITY, ((0.0, 0.6),)),
    "relu": Elementwise(lambda t, x: t.nn.functional.relu(x), 0.0, INFINITY, ((0.0, 0.0),)),
    "relu6": Elementwise(
        lambda t, x: t.nn.functional.relu6(x), 0.0, 6.0, ((0.0, 0.0), (6.0, 0.0))
    ),
    "selu": Elementwise(
        lambda t, x: t.nn.functional.selu(x), -SELU_SLOPE, INFINITY, ((0.0, SELU_SLOPE),)
    ),
    "sigmoid": Elementwise(lambda t, x: t.sigmoid(x), 0.0, 1.0, ((0.0, 0.25),)),
    "silu": Elementwise(lambda t, x: t.nn.functional.silu(x), UNDEFINED, INFINITY, ((0.0, 0.5),)),
    "soft_shrink": Elementwise(
        lambda t, x: t.nn.functional.softshrink(x),
        -INFINITY, INFINITY, ((-0.5, 0.0), (0.5, 0.0)),
    ),
    "softplus": Elementwise(
        lambda t, x: t.logaddexp(x, t.zeros_like(x)), 0.0, INFINITY, ((0.0, 0.5),)
    ),
    "softsign": Elementwise(
        lambda t, x: t.nn.functional.softsign(x), UNDEFINED, UNDEFINED, ((0.0, 1.0),)
    ),
    "tanh": Elementwise(lambda t, x: t.tanh(x), -1.0, 1.0, ((0.0, 1.0),)),
    "tanh_shrink": Elementwise(
        lambda t, x: t.nn.functional.tanhshrink(x), -INFINITY, INFINITY, ((0.0, 0.0),)
    ),
    "threshold_relu": Elementwise(
        lambda t, x: t.nn.functional.threshold(x, 1.0, 0.0), 0.0, INFINITY, ((1.0, 0.0),)
    ),
}  # fmt: skip
