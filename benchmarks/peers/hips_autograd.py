"""HIPS autograd: the gradient by its tape, the optimizer by hand."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import autograd
import autograd.numpy as anp
import numpy as np

from benchmarks.networks import Network, Weights
from benchmarks.peers.by_hand import OPTIMIZERS


def _activate(kind: str, z: Any) -> Any:
    if kind == "relu":
        return anp.maximum(z, 0)
    if kind == "tanh":
        return anp.tanh(z)
    return 0.5 * z * (1 + anp.tanh(0.7978845608028654 * (z + 0.044715 * (z * z * z))))


def predict(kind: str, weights: Any, x: Any) -> Any:
    for i in range(0, len(weights) - 2, 2):
        x = _activate(kind, x @ weights[i].T + weights[i + 1])
    return x @ weights[-2].T + weights[-1]


def _objective(network: Network, x: np.ndarray, y: np.ndarray) -> Callable[..., Any]:
    """One argument a weight: through a list, autograd's own work grows with its square."""

    def mse(*weights: Any) -> Any:
        residual = predict(network.activation, weights, x) - y
        return anp.sum(residual * residual) * np.float32(1 / y.size)

    def cross_entropy(*weights: Any) -> Any:
        out = predict(network.activation, weights, x)
        out = out - out.max(axis=-1, keepdims=True)
        log_total = anp.log(anp.sum(anp.exp(out), axis=-1, keepdims=True))
        return -anp.sum(y * (out - log_total)) * np.float32(1 / len(y))

    return mse if network.loss == "mse" else cross_entropy


def training_step(network: Network) -> Callable[[], float]:
    x, y = network.data()
    weights = network.weights()
    optimizer = OPTIMIZERS[network.optimizer](weights, network.rate)
    both = autograd.value_and_grad(_objective(network, x, y), argnum=tuple(range(len(weights))))

    def step() -> float:
        value, gradients = both(*weights)
        optimizer.update(gradients)
        return float(value)

    return step


def gradient(network: Network) -> Callable[[], Weights]:
    x, y = network.data()
    weights = network.weights()
    slope = autograd.grad(_objective(network, x, y), argnum=tuple(range(len(weights))))
    return lambda: slope(*weights)


def inference(network: Network, batch: int) -> Callable[[], np.ndarray]:
    x, _ = network.data(batch)
    weights = network.weights()
    return lambda: predict(network.activation, weights, x)
