"""JAX: the gradient by ``jax.value_and_grad``, Adam by hand, the whole step under ``jax.jit``."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks.networks import Network, Weights

_ACTIVATIONS = {"relu": jax.nn.relu, "gelu": jax.nn.gelu, "tanh": jnp.tanh}


def predict(kind: str, weights: Any, x: Any) -> Any:
    for i in range(0, len(weights) - 2, 2):
        x = _ACTIVATIONS[kind](x @ weights[i].T + weights[i + 1])
    return x @ weights[-2].T + weights[-1]


def _objective(network: Network) -> Callable[..., Any]:
    def mse(weights: Any, x: Any, y: Any) -> Any:
        return jnp.mean((predict(network.activation, weights, x) - y) ** 2)

    def cross_entropy(weights: Any, x: Any, y: Any) -> Any:
        log_softmax = jax.nn.log_softmax(predict(network.activation, weights, x))
        return -jnp.sum(y * log_softmax) / len(y)

    return mse if network.loss == "mse" else cross_entropy


def _pieces(network: Network) -> tuple[list[jax.Array], jax.Array, jax.Array]:
    x, y = map(jnp.asarray, network.data())
    return [jnp.asarray(w) for w in network.weights()], x, y


def _adam(rate: float, steps: Any, w: Any, g: Any, m: Any, v: Any) -> tuple[Any, Any, Any]:
    m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g * g
    scale = (1 - 0.999**steps) ** -0.5
    return w - rate / (1 - 0.9**steps) * m / (jnp.sqrt(v) * scale + 1e-8), m, v


def training_step(network: Network) -> Callable[[], Any]:
    weights, x, y = _pieces(network)
    both = jax.value_and_grad(_objective(network))

    @partial(jax.jit, donate_argnums=0)
    def update(state: Any, x: Any, y: Any) -> tuple[Any, Any]:
        steps, weights, means, squares = state
        value, gradients = both(weights, x, y)
        rows = zip(weights, gradients, means, squares, strict=True)
        changed = [_adam(network.rate, steps + 1, *row) for row in rows]
        return value, (steps + 1, *map(list, zip(*changed, strict=True)))

    state = (jnp.zeros(()), weights, *([jnp.zeros_like(w) for w in weights] for _ in range(2)))

    def step() -> Any:
        nonlocal state
        value, state = update(state, x, y)
        jax.block_until_ready(state)
        return value

    return step


def gradient(network: Network) -> Callable[[], Weights]:
    weights, x, y = _pieces(network)
    slope = jax.jit(jax.grad(_objective(network)))
    return lambda: jax.block_until_ready(slope(weights, x, y))


def inference(network: Network, batch: int) -> Callable[[], np.ndarray]:
    x = jnp.asarray(network.data(batch)[0])
    weights = [jnp.asarray(w) for w in network.weights()]
    run = jax.jit(partial(predict, network.activation))
    return lambda: jax.block_until_ready(run(weights, x))
