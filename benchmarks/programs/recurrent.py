"""Three LSTM layers over the frames of a recording; the last output projected and normalised."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import torch

import portanet as pn
from benchmarks.architectures.lstm import NAMES
from benchmarks.peers import jax_jit
from benchmarks.programs._program import Program, tensors

FRAMES, FEATURES, HIDDEN, LAYERS = 160, 40, 256, 3


def recurrent() -> Program:
    return Program(f"inference of {LAYERS} LSTM layers over {FRAMES} frames", _calls)


def _calls() -> dict[str, Callable[[], Any]]:
    cells = [pn.LSTMCell(FEATURES if i == 0 else HIDDEN, HIDDEN) for i in range(LAYERS)]
    model = pn.Chain(pn.StackedRecurrence(cells), pn.Dense(HIDDEN, HIDDEN))
    ps, st = pn.setup(0, model)
    x = np.random.default_rng(1).normal(size=(1, FRAMES, FEATURES)).astype(np.float32)

    def ours(x: Any, ps: Any) -> Any:
        y = model(x, ps, st)[0]
        return y / np.linalg.vector_norm(y, axis=-1, keepdims=True)

    stack, last = ps["layer_1"], ps["layer_2"]
    layers = [[cell[name] for name in NAMES] for cell in _cells(stack)]
    weights = [*layers, [last["weight"], last["bias"]]]
    return {
        "torch eager": _of_torch(weights, x),
        "JAX jit": jax_jit.compiled(_of_jax, weights, x),
        "portanet": partial(pn.jit(ours), x, ps),
    }


def _cells(tree: Any) -> list[Any]:
    """Return the parameters of the cells, which lie somewhere in a tree, in their order."""
    if NAMES[0] in tree:
        return [tree]
    return [cell for part in tree.values() for cell in _cells(part)]


def _of_torch(weights: Any, x: np.ndarray) -> Callable[[], Any]:
    lstm = torch.nn.LSTM(FEATURES, HIDDEN, LAYERS, batch_first=True)
    last = torch.nn.Linear(HIDDEN, HIDDEN)
    given = [w for layer in weights for w in layer]
    with torch.no_grad():
        for parameter, w in zip([*lstm.parameters(), *last.parameters()], given, strict=True):
            parameter.copy_(torch.from_numpy(w))
    there = tensors(x)

    @torch.inference_mode()
    def run() -> Any:
        y = last(lstm(there)[0][:, -1])
        return y / torch.linalg.vector_norm(y, dim=-1, keepdim=True)

    return run


def _of_jax(weights: Any, x: Any) -> Any:
    *layers, (w, b) = weights
    x = jnp.moveaxis(x, 1, 0)
    for w_x, w_h, b_x, b_h in layers:

        def step(carry: Any, z: Any, w_h: Any = w_h) -> Any:
            hidden, memory = carry
            i, f, g, o = jnp.split(z + hidden @ w_h.T, 4, axis=-1)
            memory = jax.nn.sigmoid(f) * memory + jax.nn.sigmoid(i) * jnp.tanh(g)
            hidden = jax.nn.sigmoid(o) * jnp.tanh(memory)
            return (hidden, memory), hidden

        zeros = jnp.zeros((x.shape[1], HIDDEN), x.dtype)
        _, x = jax.lax.scan(step, (zeros, zeros), x @ w_x.T + (b_x + b_h))
    y = x[-1] @ w.T + b
    return y / jnp.linalg.norm(y, axis=-1, keepdims=True)
