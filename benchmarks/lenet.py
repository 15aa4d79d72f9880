"""A training step of LeNet on 64 images of 28×28, with Adam."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import torch
from torch import nn

import portanet as pn
from benchmarks.agreement import agree
from benchmarks.peers.adam import jax_step
from benchmarks.report import comparison
from benchmarks.timing import interleave

BATCH, RATE, STEPS_COMPARED = 64, 1e-3, 5


def model() -> pn.Chain:
    return pn.Chain(
        pn.Conv((5, 5), 1, 6, pn.relu),
        pn.MaxPool((2, 2)),
        pn.Conv((5, 5), 6, 16, pn.relu),
        pn.MaxPool((2, 2)),
        pn.Flatten(),
        pn.Dense(256, 120, pn.relu),
        pn.Dense(120, 84, pn.relu),
        pn.Dense(84, 10),
    )


def data() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(1)
    images = rng.normal(size=(BATCH, 28, 28, 1)).astype(np.float32)
    return images, np.eye(10, dtype=np.float32)[rng.integers(10, size=BATCH)]


def ours(device: str = "numpy", jit: bool = False) -> Callable[[], Any]:
    net = model()
    ps, st, batch = pn.device(device)((*pn.setup(0, net), data()))
    ts = pn.training.TrainState(net, ps, st, pn.optimizers.Adam(RATE))
    loss = pn.CrossEntropyLoss(logits=True)

    def step() -> Any:
        nonlocal ts
        value, _, ts = pn.training.train_step(loss, batch, ts, jit=jit)
        return value

    return step


def _weights() -> list[np.ndarray]:
    """Return kernels and biases in turn, as portanet lays them out."""
    ps, _ = pn.setup(0, model())
    return [layer[name] for layer in ps.values() if layer for name in ("weight", "bias")]


def torch_eager() -> Callable[[], Any]:
    """Torch puts channels first: kernels and the first dense weight are turned accordingly."""
    net = nn.Sequential(
        nn.Conv2d(1, 6, 5), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(6, 16, 5), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(),
        nn.Linear(256, 120), nn.ReLU(), nn.Linear(120, 84), nn.ReLU(), nn.Linear(84, 10),
    )  # fmt: skip
    weights = _weights()
    for i in (0, 2):
        weights[i] = weights[i].transpose(3, 2, 0, 1)
    weights[4] = weights[4].reshape(120, 4, 4, 16).transpose(0, 3, 1, 2).reshape(120, 256)
    with torch.no_grad():
        for parameter, weight in zip(net.parameters(), weights, strict=True):
            parameter.copy_(torch.from_numpy(weight.copy()))
    images, targets = data()
    x = torch.from_numpy(images.transpose(0, 3, 1, 2).copy())
    y = torch.from_numpy(targets)
    optimizer = torch.optim.Adam(net.parameters(), lr=RATE)

    def step() -> Any:
        optimizer.zero_grad()
        value = nn.functional.cross_entropy(net(x), y)
        value.backward()
        optimizer.step()
        return value.detach()

    return step


def jax_jit() -> Callable[[], Any]:
    def conv(x: Any, w: Any, b: Any) -> Any:
        layout = ("NHWC", "HWIO", "NHWC")
        y = jax.lax.conv_general_dilated(x, w, (1, 1), "VALID", dimension_numbers=layout)
        y = jax.nn.relu(y + b)
        window = (1, 2, 2, 1)
        return jax.lax.reduce_window(y, -jnp.inf, jax.lax.max, window, window, "VALID")

    def objective(weights: Any, x: Any, y: Any) -> Any:
        x = conv(conv(x, *weights[:2]), *weights[2:4]).reshape(len(x), -1)
        for i in (4, 6):
            x = jax.nn.relu(x @ weights[i].T + weights[i + 1])
        logits = x @ weights[8].T + weights[9]
        return -jnp.sum(y * jax.nn.log_softmax(logits)) / len(y)

    return jax_step(objective, _weights(), data(), RATE)


def lenet() -> Iterator[str]:
    """LeNet on 28×28, batch 64, Adam."""
    steps = {
        "torch eager": torch_eager(),
        "JAX jit": jax_jit(),
        "portanet on NumPy": ours(),
        "portanet on NumPy, jit": ours(jit=True),
        "portanet on torch": ours("torch"),
    }
    losses = {
        name: [np.asarray(step()) for _ in range(STEPS_COMPARED)] for name, step in steps.items()
    }
    agree("LeNet", losses)
    yield comparison("Training step: LeNet on 28×28, batch 64", interleave(steps))
