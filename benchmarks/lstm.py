"""A training step of an LSTM 16→64 on 16 sequences of 32 entries: MSE of the last output, Adam."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import torch

import portanet as pn
from benchmarks.agreement import agree
from benchmarks.peers.adam import jax_step
from benchmarks.report import comparison
from benchmarks.timing import interleave

FEATURES, HIDDEN, LENGTH, BATCH, RATE = 16, 64, 32, 16, 1e-3
STEPS_COMPARED = 5
NAMES = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")


def weights() -> list[np.ndarray]:
    ps, _ = pn.setup(0, pn.LSTMCell(FEATURES, HIDDEN))
    return [ps[name] for name in NAMES]


def data() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(1)
    shapes = (BATCH, LENGTH, FEATURES), (BATCH, HIDDEN)
    return tuple(rng.normal(size=shape).astype(np.float32) for shape in shapes)


def ours(device: str = "numpy", jit: bool = False) -> Callable[[], Any]:
    model = pn.Recurrence(pn.LSTMCell(FEATURES, HIDDEN))
    ps = {"cell": dict(zip(NAMES, weights(), strict=True))}
    ps, st, batch = pn.device(device)((ps, pn.setup(0, model)[1], data()))
    ts = pn.training.TrainState(model, ps, st, pn.optimizers.Adam(RATE))
    loss = pn.MSELoss()

    def step() -> Any:
        nonlocal ts
        value, _, ts = pn.training.train_step(loss, batch, ts, jit=jit)
        return value

    return step


def torch_eager() -> Callable[[], Any]:
    model = torch.nn.LSTM(FEATURES, HIDDEN, batch_first=True)
    with torch.no_grad():
        for parameter, weight in zip(model.parameters(), weights(), strict=True):
            parameter.copy_(torch.from_numpy(weight))
    x, y = map(torch.from_numpy, data())
    optimizer = torch.optim.Adam(model.parameters(), lr=RATE)

    def step() -> Any:
        optimizer.zero_grad()
        value = torch.nn.functional.mse_loss(model(x)[0][:, -1], y)
        value.backward()
        optimizer.step()
        return value.detach()

    return step


def jax_jit() -> Callable[[], Any]:
    def objective(ps: Any, x: Any, y: Any) -> Any:
        w_x, w_h, b_x, b_h = ps
        projected = jnp.moveaxis(x, 1, 0) @ w_x.T + (b_x + b_h)

        def step(carry: Any, z: Any) -> tuple[Any, None]:
            hidden, memory = carry
            i, f, g, o = jnp.split(z + hidden @ w_h.T, 4, axis=-1)
            memory = jax.nn.sigmoid(f) * memory + jax.nn.sigmoid(i) * jnp.tanh(g)
            return (jax.nn.sigmoid(o) * jnp.tanh(memory), memory), None

        zeros = jnp.zeros((x.shape[0], HIDDEN), x.dtype)
        (hidden, _), _ = jax.lax.scan(step, (zeros, zeros), projected)
        return jnp.mean((hidden - y) ** 2)

    return jax_step(objective, weights(), data(), RATE)


def lstm() -> Iterator[str]:
    """LSTM 16→64, length 32, batch 16, last output."""
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
    agree("LSTM", losses)
    yield comparison("Training step: LSTM 16→64, length 32, batch 16", interleave(steps))
