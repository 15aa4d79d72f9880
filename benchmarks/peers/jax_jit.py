"""JAX: the gradient by ``jax.value_and_grad``, the optimizer by hand, all under ``jax.jit``."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks.networks import Network, Weights
from benchmarks.peers.jax_adam import jax_step

# Small programs run faster when the calling thread runs them itself.
jax.config.update("jax_cpu_enable_async_dispatch", False)

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


def training_step(network: Network) -> Callable[[], Any]:
    objective = _objective(network)
    return jax_step(objective, network.weights(), network.data(), network.rate, network.optimizer)


def gradient(network: Network) -> Callable[[], Weights]:
    weights, x, y = _pieces(network)
    slope = jax.jit(jax.grad(_objective(network)))
    return lambda: jax.block_until_ready(slope(weights, x, y))


def function(network: Network) -> tuple[Any, Callable[..., Any]]:
    """Return the weights and the prediction as a function of weights and input."""
    weights, *_ = _pieces(network)
    return weights, partial(predict, network.activation)


def compiled(function: Callable[..., Any], *args: Any) -> Callable[[], Any]:
    """Return a call of the compiled function on these arguments, moved to JAX beforehand."""
    run, args = jax.jit(function), jax.tree.map(jnp.asarray, args)
    return lambda: jax.block_until_ready(run(*args))


def inference(network: Network, batch: int) -> Callable[[], np.ndarray]:
    x = jnp.asarray(network.data(batch)[0])
    weights = [jnp.asarray(w) for w in network.weights()]
    run = jax.jit(partial(predict, network.activation))
    return lambda: jax.block_until_ready(run(weights, x))
