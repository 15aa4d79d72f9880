"""Torch as its users write it: modules, ``backward``, ``torch.optim.Adam``."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from torch import nn

from benchmarks.networks import Network, Weights

_ACTIVATIONS = {"relu": nn.ReLU, "gelu": lambda: nn.GELU(approximate="tanh"), "tanh": nn.Tanh}


def _model(network: Network) -> nn.Module:
    layers: list[nn.Module] = []
    for fan_in, fan_out in pairwise(network.sizes):
        layers += [nn.Linear(fan_in, fan_out), _ACTIVATIONS[network.activation]()]
    model = nn.Sequential(*layers[:-1])
    with torch.no_grad():
        for parameter, weight in zip(model.parameters(), network.weights(), strict=True):
            parameter.copy_(torch.from_numpy(weight))
    return model


def _pieces(network: Network) -> tuple[nn.Module, nn.Module, torch.Tensor, torch.Tensor]:
    x, y = map(torch.from_numpy, network.data())
    loss = nn.MSELoss() if network.loss == "mse" else nn.CrossEntropyLoss()
    return _model(network), loss, x, y


def training_step(network: Network) -> Callable[[], float]:
    model, loss, x, y = _pieces(network)
    kinds = {"adam": torch.optim.Adam, "sgd": torch.optim.SGD}
    optimizer = kinds[network.optimizer](model.parameters(), lr=network.rate)

    def step() -> Any:
        optimizer.zero_grad()
        value = loss(model(x), y)
        value.backward()
        optimizer.step()
        return value.detach()

    return step


def gradient(network: Network) -> Callable[[], Weights]:
    model, loss, x, y = _pieces(network)
    parameters = list(model.parameters())
    return lambda: list(torch.autograd.grad(loss(model(x), y), parameters))  # pyright: ignore


def inference(network: Network, batch: int) -> Callable[[], np.ndarray]:
    model = _model(network)
    x = torch.from_numpy(network.data(batch)[0])

    @torch.inference_mode()
    def predict() -> Any:
        return model(x)

    return predict
