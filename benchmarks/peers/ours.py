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


def training_run(network: Network, device: str = "numpy") -> tuple[Any, ...]:
    """Return a training state, its loss and a batch."""
    model, ps, st, loss, data = _pieces(network, device)
    kinds = {"adam": pn.optimizers.Adam, "sgd": pn.optimizers.SGD}
    return pn.training.TrainState(model, ps, st, kinds[network.optimizer](network.rate)), loss, data


def training_step(
    network: Network, device: str = "numpy", jit: bool = False
) -> Callable[[], float]:
    ts, loss, data = training_run(network, device)

    def step() -> Any:
        nonlocal ts
        value, _, ts = pn.training.train_step(loss, data, ts, jit=jit)
        return value

    return step


def gradient(network: Network, device: str = "numpy", jit: bool = False) -> Callable[[], Weights]:
    model, ps, st, loss, data = _pieces(network, device)
    slope = pn.grad(lambda ps, data: loss(model, ps, st, data)[0])
    slope = pn.jit(slope) if jit else slope

    def run() -> Weights:
        return listed(slope(ps, data))

    return run


def inference(
    network: Network, batch: int, device: str = "numpy", jit: bool = False
) -> Callable[[], Any]:
    model, ps, st, *_ = _pieces(network, device)
    x = pn.device(device)(network.data(batch)[0])
    run = pn.jit(model) if jit else model
    return lambda: run(x, ps, st)[0]


def function(network: Network, device: str) -> tuple[Any, Callable[..., Any]]:
    """Return the parameters and the prediction as a function of parameters and input."""
    model, ps, st, *_ = _pieces(network, device)
    return ps, lambda ps, x: model(x, ps, st)[0]


def listed(tree: Any) -> list[Any]:
    """Return the arrays of a result in the order of `Network.weights`."""
    if isinstance(tree, dict):
        parts = [tree[name] for name in ("weight", "bias")] if "weight" in tree else tree.values()
    elif isinstance(tree, list | tuple):
        parts = tree
    else:
        return [tree]
    return [leaf for part in parts for leaf in listed(part)]
