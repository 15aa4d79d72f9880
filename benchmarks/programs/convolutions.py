"""Inference of a small detector of faces: four convolutions with PReLU, and a dense layer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax.numpy as jnp
import numpy as np
import torch
from jax import lax

import portanet as pn
from benchmarks.peers import jax_jit
from benchmarks.programs._program import Program, tensors

SIZE, BATCH, OUT = 48, 16, 256
CHANNELS = (3, 32, 64, 64, 128)
WINDOWS = (3, 3, 3, 2)
POOLS = ((3, 2), (3, 2), (2, 2))  # window and stride
LAST = 2  # pixels along an edge at the end


@dataclass(frozen=True)
class PReLU(pn.Layer):
    """``where(x > 0, x, slope x)`` with a learned slope for each channel."""

    channels: int

    def initial_parameters(self, rng: np.random.Generator) -> dict[str, np.ndarray]:
        return {"slope": rng.uniform(0.1, 0.4, self.channels).astype(np.float32)}

    def __call__(self, x: Any, ps: Any, st: Any) -> tuple[Any, Any]:
        xp = pn.array_namespace(x)
        return xp.where(x > 0, x, ps["slope"] * x), st


def convolutions() -> Program:
    return Program(f"inference of a CNN with PReLU, batch {BATCH} of {SIZE}×{SIZE}", _calls)


def _calls() -> dict[str, Callable[[], Any]]:
    layers: list[Any] = []
    for i, window in enumerate(WINDOWS):
        layers += [pn.Conv((window, window), CHANNELS[i], CHANNELS[i + 1]), PReLU(CHANNELS[i + 1])]
        if i < len(POOLS):
            layers.append(pn.MaxPool(POOLS[i][:1] * 2, stride=POOLS[i][1]))
    model = pn.Chain(*layers, pn.Flatten(), pn.Dense(LAST * LAST * CHANNELS[-1], OUT))
    ps, st = pn.setup(0, model)
    x = np.random.default_rng(1).normal(size=(BATCH, SIZE, SIZE, 3)).astype(np.float32)
    weights = [tuple(layer.values()) for layer in ps.values() if layer]
    return {
        "torch eager": _of_torch(weights, x),
        "JAX jit": jax_jit.compiled(_of_jax, weights, x),
        "portanet": partial(pn.jit(lambda x, ps: model(x, ps, st)[0]), x, ps),
    }


def _of_torch(weights: Any, x: np.ndarray) -> Callable[[], Any]:
    layers: list[torch.nn.Module] = []
    for i, window in enumerate(WINDOWS):
        layers.append(torch.nn.Conv2d(CHANNELS[i], CHANNELS[i + 1], window))
        layers.append(torch.nn.PReLU(CHANNELS[i + 1]))
        if i < len(POOLS):
            layers.append(torch.nn.MaxPool2d(*POOLS[i]))
    last = torch.nn.Linear(LAST * LAST * CHANNELS[-1], OUT)
    module = torch.nn.Sequential(*layers, torch.nn.Flatten(), last)
    *inner, (w, b) = weights
    given = [w.transpose(3, 2, 0, 1) if w.ndim == 4 else w for part in inner for w in part]
    turned = w.reshape(OUT, LAST, LAST, -1).transpose(0, 3, 1, 2).reshape(OUT, -1)
    with torch.no_grad():
        for parameter, value in zip(module.parameters(), [*given, turned, b], strict=True):
            parameter.copy_(tensors(value))
    there = tensors(np.ascontiguousarray(x.transpose(0, 3, 1, 2)))
    return torch.inference_mode()(lambda: module(there))


def _of_jax(weights: Any, x: Any) -> Any:
    *inner, (w, b) = weights
    layout = ("NHWC", "HWIO", "NHWC")
    for i in range(len(WINDOWS)):
        kernel, bias = inner[2 * i]
        (slope,) = inner[2 * i + 1]
        x = lax.conv_general_dilated(x, kernel, (1, 1), "VALID", dimension_numbers=layout) + bias
        x = jnp.where(x > 0, x, slope * x)
        if i < len(POOLS):
            window, stride = ((1, n, n, 1) for n in POOLS[i])
            x = lax.reduce_window(x, -jnp.inf, lax.max, window, stride, "VALID")
    return x.reshape(len(x), -1) @ w.T + b
