"""Torch by hand in the functional style, the whole step under ``torch.compile``."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from typing import Any

import torch
from torch.nn import functional

from benchmarks.networks import Network
from benchmarks.peers.torch_functional import predict


def available() -> bool:
    """Whether there is the C++ compiler that ``torch.compile`` calls."""
    return any(map(shutil.which, ("g++", "clang++")))


def training_step(network: Network) -> Callable[[], Any]:
    x, y = map(torch.from_numpy, network.data())
    weights = [torch.from_numpy(w) for w in network.weights()]
    loss = functional.mse_loss if network.loss == "mse" else functional.cross_entropy

    def objective(weights: Any, x: Any, y: Any) -> Any:
        return loss(predict(network.activation, weights, x), y)

    @torch.compile
    def update(state: Any, steps: Any, x: Any, y: Any) -> tuple[Any, Any]:
        weights, means, squares = state
        gradients, value = torch.func.grad_and_value(objective)(weights, x, y)
        if network.optimizer == "sgd":
            pairs = zip(weights, gradients, strict=True)
            return value, ([w - network.rate * g for w, g in pairs], means, squares)
        rate = network.rate / (1 - 0.9**steps)
        scale = (1 - 0.999**steps) ** -0.5
        means = [0.9 * m + 0.1 * g for m, g in zip(means, gradients, strict=True)]
        squares = [0.999 * v + 0.001 * g * g for v, g in zip(squares, gradients, strict=True)]
        rows = zip(weights, means, squares, strict=True)
        weights = [w - rate * m / (torch.sqrt(v) * scale + 1e-8) for w, m, v in rows]
        return value, (weights, means, squares)

    zeros = [[torch.zeros_like(w) for w in weights] for _ in range(2)]
    state, steps = (weights, *zeros), torch.zeros(())

    def step() -> Any:
        nonlocal state, steps
        steps = steps + 1
        value, state = update(state, steps, x, y)
        return value

    return step
