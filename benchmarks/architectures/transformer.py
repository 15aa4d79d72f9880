"""A transformer block with its norms first: the mean squared error to a target."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import torch

import portanet as pn
from benchmarks.architectures import _steps
from benchmarks.peers.jax_adam import jax_step

FEATURES, HEADS, LENGTH, BATCH = 128, 4, 64, 8
_ENTRIES = ("query", "key", "value")


def transformer() -> Iterator[str]:
    """A block of 128 features, 4 heads, an MLP of 512 with gelu."""
    model = pn.TransformerEncoderLayer(FEATURES, HEADS, 4 * FEATURES)
    ps, _ = pn.setup(0, model)
    rng = np.random.default_rng(1)
    data = tuple(rng.normal(size=(BATCH, LENGTH, FEATURES)).astype(np.float32) for _ in range(2))
    weights = listed(ps)
    theirs = torch.nn.TransformerEncoderLayer(
        FEATURES,
        HEADS,
        4 * FEATURES,
        dropout=0.0,
        activation=partial(torch.nn.functional.gelu, approximate="tanh"),
        batch_first=True,
        norm_first=True,
    )
    steps = {
        "torch eager": _steps.of_torch(theirs, weights, _torch_loss, data),
        "JAX jit": jax_step(_jax_loss, weights, data, _steps.RATE),
        **_steps.all_of_ours(model, ps, pn.MSELoss(), data),
    }
    title = f"transformer block, d = {FEATURES}, {HEADS} heads, length {LENGTH}, batch {BATCH}"
    yield _steps.compared(title, steps)


def listed(ps: Any) -> list[np.ndarray]:
    """Return the parameters in torch's order; its three projections are one matrix."""
    attention = ps["attention"]
    joined = [np.concatenate([attention[k][n] for k in _ENTRIES]) for n in ("weight", "bias")]
    dense = attention["out"], ps["mlp"]["layer_1"], ps["mlp"]["layer_2"]
    norms = ps["attention_norm"], ps["mlp_norm"]
    return [
        *joined,
        *(layer[name] for layer in dense for name in ("weight", "bias")),
        *(layer[name] for layer in norms for name in ("scale", "bias")),
    ]


def _torch_loss(module: Callable[..., Any], x: Any, y: Any) -> Any:
    return torch.nn.functional.mse_loss(module(x), y)


def jax_norm(x: Any, scale: Any, bias: Any, epsilon: float = 1e-5) -> Any:
    x = x - jnp.mean(x, axis=-1, keepdims=True)
    return x * jax.lax.rsqrt(jnp.mean(x * x, axis=-1, keepdims=True) + epsilon) * scale + bias


def jax_attention(weights: Any, x: Any, heads: int) -> Any:
    w_in, b_in, w_out, b_out = weights
    shape = *x.shape[:2], heads, -1
    q, k, v = (part.reshape(shape) for part in jnp.split(x @ w_in.T + b_in, 3, axis=-1))
    scores = jnp.einsum("nqhd,nkhd->nhqk", q, k) / q.shape[-1] ** 0.5
    mixed = jnp.einsum("nhqk,nkhd->nqhd", jax.nn.softmax(scores), v)
    return mixed.reshape(x.shape) @ w_out.T + b_out


def _jax_loss(weights: Any, x: Any, y: Any) -> Any:
    *attention, w_1, b_1, w_2, b_2, s_1, t_1, s_2, t_2 = weights
    x = x + jax_attention(attention, jax_norm(x, s_1, t_1), HEADS)
    x = x + jax.nn.gelu(jax_norm(x, s_2, t_2) @ w_1.T + b_1) @ w_2.T + b_2
    return jnp.mean((x - y) ** 2)
