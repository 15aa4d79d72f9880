"""Adam by hand around any objective, the whole step under ``jax.jit``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp


def _adam(rate: float, steps: Any, w: Any, g: Any, m: Any, v: Any) -> tuple[Any, Any, Any]:
    m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g * g
    scale = (1 - 0.999**steps) ** -0.5
    return w - rate / (1 - 0.9**steps) * m / (jnp.sqrt(v) * scale + 1e-8), m, v


def jax_step(
    objective: Callable[..., Any],
    weights: Sequence[Any],
    data: Sequence[Any],
    rate: float,
    optimizer: str = "adam",
) -> Callable[[], Any]:
    """Return a function that takes one step with ``objective(weights, *data)``."""
    both = jax.value_and_grad(objective)
    data = tuple(map(jnp.asarray, data))

    @partial(jax.jit, donate_argnums=0)
    def update(state: Any, *data: Any) -> tuple[Any, Any]:
        steps, weights, means, squares = state
        value, gradients = both(weights, *data)
        if optimizer == "sgd":
            moved = [w - rate * g for w, g in zip(weights, gradients, strict=True)]
            return value, (steps, moved, means, squares)
        rows = zip(weights, gradients, means, squares, strict=True)
        changed = [_adam(rate, steps + 1, *row) for row in rows]
        return value, (steps + 1, *map(list, zip(*changed, strict=True)))

    leaves = [jnp.array(w) for w in weights]
    state = (jnp.zeros(()), leaves, *([jnp.zeros_like(w) for w in leaves] for _ in range(2)))

    def step() -> Any:
        nonlocal state
        value, state = update(state, *data)
        jax.block_until_ready(state)
        return value

    return step
