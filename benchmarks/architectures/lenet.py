"""LeNet on 64 images of 28×28, with cross-entropy."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from torch import nn

import portanet as pn
from benchmarks.architectures import _steps
from benchmarks.peers.jax_adam import jax_step

BATCH = 64


def lenet() -> Iterator[str]:
    """LeNet on 28×28, batch 64."""
    model = _ours()
    ps, _ = pn.setup(0, model)
    weights = [layer[name] for layer in ps.values() if layer for name in ("weight", "bias")]
    rng = np.random.default_rng(1)
    images = rng.normal(size=(BATCH, 28, 28, 1)).astype(np.float32)
    data = images, np.eye(10, dtype=np.float32)[rng.integers(10, size=BATCH)]
    theirs = images.transpose(0, 3, 1, 2), data[1]
    steps = {
        "torch eager": _steps.of_torch(_torch(), _channels_first(weights), _torch_loss, theirs),
        "JAX jit": jax_step(_jax_loss, weights, data, _steps.RATE),
        **_steps.all_of_ours(model, ps, pn.CrossEntropyLoss(logits=True), data),
    }
    yield _steps.compared("LeNet on 28×28, batch 64", steps)


def _ours() -> pn.Chain:
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


def _torch() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(1, 6, 5), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(6, 16, 5), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(),
        nn.Linear(256, 120), nn.ReLU(), nn.Linear(120, 84), nn.ReLU(), nn.Linear(84, 10),
    )  # fmt: skip


def _channels_first(weights: list[np.ndarray]) -> list[np.ndarray]:
    """Turn kernels and the first dense weight to torch's order of axes."""
    turned = list(weights)
    for i in (0, 2):
        turned[i] = weights[i].transpose(3, 2, 0, 1)
    turned[4] = weights[4].reshape(120, 4, 4, 16).transpose(0, 3, 1, 2).reshape(120, 256)
    return turned


def _torch_loss(module: Callable[..., Any], x: Any, y: Any) -> Any:
    return nn.functional.cross_entropy(module(x), y)


def _jax_conv(x: Any, w: Any, b: Any) -> Any:
    layout = ("NHWC", "HWIO", "NHWC")
    y = jax.lax.conv_general_dilated(x, w, (1, 1), "VALID", dimension_numbers=layout)
    window = (1, 2, 2, 1)
    return jax.lax.reduce_window(jax.nn.relu(y + b), -jnp.inf, jax.lax.max, window, window, "VALID")


def _jax_loss(weights: Any, x: Any, y: Any) -> Any:
    x = _jax_conv(_jax_conv(x, *weights[:2]), *weights[2:4]).reshape(len(x), -1)
    for i in (4, 6):
        x = jax.nn.relu(x @ weights[i].T + weights[i + 1])
    logits = x @ weights[8].T + weights[9]
    return -jnp.sum(y * jax.nn.log_softmax(logits)) / len(y)
