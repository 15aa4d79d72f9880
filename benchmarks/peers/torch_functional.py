"""Torch by hand in the functional style: explicit weights, ``autograd.grad``, a pure optimizer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch.nn import functional

from benchmarks.networks import Network, Weights

_ACTIVATIONS = {
    "relu": functional.relu,
    "gelu": lambda x: functional.gelu(x, approximate="tanh"),
    "tanh": torch.tanh,
}


def predict(kind: str, weights: Any, x: Any) -> Any:
    activate = _ACTIVATIONS[kind]
    for i in range(0, len(weights) - 2, 2):
        x = activate(functional.linear(x, weights[i], weights[i + 1]))
    return functional.linear(x, weights[-2], weights[-1])


def _value_and_gradient(network: Network, weights: Any, x: Any, y: Any) -> tuple[Any, Any]:
    leaves = [w.detach().requires_grad_() for w in weights]
    prediction = predict(network.activation, leaves, x)
    loss = functional.mse_loss if network.loss == "mse" else functional.cross_entropy
    value = loss(prediction, y)
    return value.detach(), torch.autograd.grad(value, leaves)


def training_step(network: Network) -> Callable[[], float]:
    x, y = map(torch.from_numpy, network.data())
    weights = [torch.from_numpy(w) for w in network.weights()]
    means = [torch.zeros_like(w) for w in weights]
    squares = [torch.zeros_like(w) for w in weights]
    steps = 0

    def step() -> Any:
        nonlocal weights, means, squares, steps
        value, gradients = _value_and_gradient(network, weights, x, y)
        if network.optimizer == "sgd":
            pairs = zip(weights, gradients, strict=True)
            weights = [torch.add(w, g, alpha=-network.rate) for w, g in pairs]
            return value
        steps += 1
        rate = network.rate / (1 - 0.9**steps)
        scale = (1 - 0.999**steps) ** -0.5
        means = [torch.lerp(m, g, 0.1) for m, g in zip(means, gradients, strict=True)]
        squares = [
            torch.addcmul(v * 0.999, g, g, value=0.001)
            for v, g in zip(squares, gradients, strict=True)
        ]
        weights = [
            torch.addcdiv(w, m, (v.sqrt() * scale) + 1e-8, value=-rate)
            for w, m, v in zip(weights, means, squares, strict=True)
        ]
        return value

    return step


def gradient(network: Network) -> Callable[[], Weights]:
    x, y = map(torch.from_numpy, network.data())
    weights = [torch.from_numpy(w) for w in network.weights()]
    return lambda: list(_value_and_gradient(network, weights, x, y)[1])


def inference(network: Network, batch: int) -> Callable[[], np.ndarray]:
    x = torch.from_numpy(network.data(batch)[0])
    weights = [torch.from_numpy(w) for w in network.weights()]

    @torch.inference_mode()
    def run() -> Any:
        return predict(network.activation, weights, x)

    return run
