"""An LSTM 16→64 on 16 sequences of 32 entries: the mean squared error of the last output."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import torch

import portanet as pn
from benchmarks.architectures import _steps
from benchmarks.peers.jax_adam import jax_step

FEATURES, HIDDEN, LENGTH, BATCH = 16, 64, 32, 16
NAMES = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")


def lstm() -> Iterator[str]:
    """LSTM 16→64, length 32, batch 16, last output."""
    model = pn.Recurrence(pn.LSTMCell(FEATURES, HIDDEN))
    ps, _ = pn.setup(0, model)
    weights = [ps["cell"][name] for name in NAMES]
    rng = np.random.default_rng(1)
    shapes = (BATCH, LENGTH, FEATURES), (BATCH, HIDDEN)
    data = tuple(rng.normal(size=shape).astype(np.float32) for shape in shapes)
    theirs = torch.nn.LSTM(FEATURES, HIDDEN, batch_first=True)
    steps = {
        "torch eager": _steps.of_torch(theirs, weights, _torch_loss, data),
        "JAX jit": jax_step(_jax_loss, weights, data, _steps.RATE),
        **_steps.all_of_ours(model, ps, pn.MSELoss(), data),
    }
    yield _steps.compared("LSTM 16→64, length 32, batch 16", steps)


def _torch_loss(module: Callable[..., Any], x: Any, y: Any) -> Any:
    return torch.nn.functional.mse_loss(module(x)[0][:, -1], y)


def _jax_loss(weights: Any, x: Any, y: Any) -> Any:
    w_x, w_h, b_x, b_h = weights
    projected = jnp.moveaxis(x, 1, 0) @ w_x.T + (b_x + b_h)

    def step(carry: Any, z: Any) -> tuple[Any, None]:
        hidden, memory = carry
        i, f, g, o = jnp.split(z + hidden @ w_h.T, 4, axis=-1)
        memory = jax.nn.sigmoid(f) * memory + jax.nn.sigmoid(i) * jnp.tanh(g)
        return (jax.nn.sigmoid(o) * jnp.tanh(memory), memory), None

    zeros = jnp.zeros((x.shape[0], HIDDEN), x.dtype)
    (hidden, _), _ = jax.lax.scan(step, (zeros, zeros), projected)
    return jnp.mean((hidden - y) ** 2)
