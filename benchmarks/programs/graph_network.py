"""A step of a graph network: two rounds of messages along edges, summed where they arrive."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np
import torch

import portanet as pn
from benchmarks.programs._program import Program, steps

NODES, EDGES, FEATURES, ROUNDS = 500, 4000, 32, 2


def graph_network() -> Program:
    rng = np.random.default_rng(0)
    shapes = {"readout": (FEATURES, 1)}
    for i in range(ROUNDS):
        shapes |= {f"message_{i}": (2 * FEATURES, FEATURES), f"bias_{i}": (FEATURES,)}
        shapes |= {f"update_{i}": (FEATURES, FEATURES), f"shift_{i}": (FEATURES,)}
    ps = {k: (0.1 * rng.normal(size=s)).astype(np.float32) for k, s in shapes.items()}
    nodes = rng.normal(size=(NODES, FEATURES)).astype(np.float32)
    source, target = rng.integers(NODES, size=(2, EDGES))
    data = nodes, source, target, np.ones(1, np.float32)
    return Program(
        f"step of a graph network, {NODES} nodes, {EDGES} edges, {FEATURES} features",
        lambda: steps(_ours, _torch, _jax, ps, *data),
        steps=True,
    )


def _ours(ps: Any, h: Any, source: Any, target: Any, y: Any) -> Any:
    for i in range(ROUNDS):
        ends = np.concatenate([h[source], h[target]], axis=1)
        messages = np.tanh(ends @ ps[f"message_{i}"] + ps[f"bias_{i}"])
        total = pn.functional.segment_sum(messages, target, NODES)
        h = h + total @ ps[f"update_{i}"] + ps[f"shift_{i}"]
    return np.mean((np.mean(h, axis=0) @ ps["readout"] - y) ** 2)


def _torch(ps: Any, h: Any, source: Any, target: Any, y: Any) -> Any:
    for i in range(ROUNDS):
        ends = torch.cat([h[source], h[target]], dim=1)
        messages = torch.tanh(torch.addmm(ps[f"bias_{i}"], ends, ps[f"message_{i}"]))
        total = torch.zeros(NODES, FEATURES).index_add(0, target, messages)
        h = h + torch.addmm(ps[f"shift_{i}"], total, ps[f"update_{i}"])
    return torch.mean((torch.mean(h, dim=0) @ ps["readout"] - y) ** 2)


def _jax(ps: Any, h: Any, source: Any, target: Any, y: Any) -> Any:
    for i in range(ROUNDS):
        ends = jnp.concatenate([h[source], h[target]], axis=1)
        messages = jnp.tanh(ends @ ps[f"message_{i}"] + ps[f"bias_{i}"])
        total = jnp.zeros((NODES, FEATURES), h.dtype).at[target].add(messages)
        h = h + total @ ps[f"update_{i}"] + ps[f"shift_{i}"]
    return jnp.mean((jnp.mean(h, axis=0) @ ps["readout"] - y) ** 2)
