"""portanet, on any of its libraries."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import portanet as pn
from benchmarks.networks import Network, Weights

_ACTIVATIONS = {"relu": pn.relu, "gelu": pn.gelu, "tanh": pn.tanh}


def _model(network: Network) -> pn.Chain:
    pairs = list(pairwise(network.sizes))
    activation = _ACTIVATIONS[network.activation]
    return pn.Chain(*(pn.Dense(*p, activation) for p in pairs[:-1]), pn.Dense(*pairs[-1]))


def _parameters(network: Network) -> dict[str, Any]:
    weights = network.weights()
    return {
        f"layer_{i // 2 + 1}": {"weight": weights[i], "bias": weights[i + 1]}
        for i in range(0, len(weights), 2)
    }


def _pieces(network: Network, device: str) -> tuple[Any, ...]:
    model = _model(network)
    _, st = pn.setup(0, model)
    loss = pn.MSELoss() if network.loss == "mse" else pn.CrossEntropyLoss(logits=True)
    ps, st, data = pn.device(device)((_parameters(network), st, network.data()))
    return model, ps, st, loss, data


def training_step(network: Network, device: str = "numpy") -> Callable[[], float]:
    model, ps, st, loss, data = _pieces(network, device)
    ts = pn.training.TrainState(model, ps, st, pn.optimizers.Adam(network.rate))

    def step() -> Any:
        nonlocal ts
        value, _, ts = pn.training.train_step(loss, data, ts)
        return value

    return step


def gradient(network: Network, device: str = "numpy") -> Callable[[], Weights]:
    model, ps, st, loss, data = _pieces(network, device)
    slope = pn.grad(lambda ps: loss(model, ps, st, data)[0])

    def run() -> Weights:
        gradients = slope(ps)
        return [layer[name] for layer in gradients.values() for name in ("weight", "bias")]

    return run


def inference(network: Network, batch: int, device: str = "numpy") -> Callable[[], Any]:
    model, ps, st, *_ = _pieces(network, device)
    x = pn.device(device)(network.data(batch)[0])
    return lambda: model(x, ps, st)[0]
