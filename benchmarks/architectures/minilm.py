"""The body of MiniLM on 32 sentences of 32 tokens: six transformer layers, inference."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import jax
import numpy as np
import torch

import portanet as pn
from benchmarks.agreement import agree
from benchmarks.architectures.transformer import jax_attention, jax_norm, listed
from benchmarks.peers import jax_jit
from benchmarks.report import comparison
from benchmarks.timing import interleave

FEATURES, HEADS, HIDDEN, LAYERS, EPSILON = 384, 12, 1536, 6, 1e-12
SENTENCES, TOKENS = 32, 32


def minilm() -> Iterator[str]:
    """The same work with weights of portanet's initializers; the pretrained ones are an example."""
    layer = pn.TransformerEncoderLayer(
        FEATURES, HEADS, HIDDEN, pn.gelu_erf, norm_first=False, epsilon=EPSILON
    )
    model = pn.TransformerStack(layer, LAYERS)
    ps, st = pn.setup(0, model)
    weights = [listed(ps[f"layer_{i + 1}"]) for i in range(LAYERS)]
    shape = SENTENCES, TOKENS, FEATURES
    x = np.random.default_rng(1).normal(size=shape).astype(np.float32)
    there, ps_there = pn.device("torch")((x, ps))
    calls: dict[str, Callable[[], Any]] = {
        "torch eager": _of_torch(weights, x),
        "JAX jit": jax_jit.compiled(_of_jax, weights, x),
        "portanet on NumPy": lambda: model(x, ps, st)[0],
        "portanet on NumPy, jit": partial(pn.jit(lambda x, ps: model(x, ps, st)[0]), x, ps),
        "portanet on torch": torch.inference_mode()(lambda: model(there, ps_there, st)[0]),
    }
    title = f"Inference: MiniLM, {SENTENCES} sentences of {TOKENS} tokens"
    agree(title, {name: [call()] for name, call in calls.items()}, rtol=1e-3, atol=1e-5)
    yield comparison(title, interleave(calls))


def _of_torch(weights: list[list[np.ndarray]], x: np.ndarray) -> Callable[[], Any]:
    """Torch's own layers, which take their fast path in inference."""
    layer = torch.nn.TransformerEncoderLayer(
        FEATURES, HEADS, HIDDEN, 0.0, "gelu", layer_norm_eps=EPSILON, batch_first=True
    )
    module = torch.nn.TransformerEncoder(layer, LAYERS).eval()
    given = [weight for own in weights for weight in own]
    with torch.no_grad():
        for parameter, weight in zip(module.parameters(), given, strict=True):
            parameter.copy_(torch.from_numpy(weight))
    on_torch = torch.from_numpy(x)
    return torch.inference_mode()(lambda: module(on_torch))


def _of_jax(weights: Any, x: Any) -> Any:
    norm = partial(jax_norm, epsilon=EPSILON)
    for *attention, w_1, b_1, w_2, b_2, s_1, t_1, s_2, t_2 in weights:
        x = norm(x + jax_attention(attention, x, HEADS), s_1, t_1)
        x = norm(x + jax.nn.gelu(x @ w_1.T + b_1, approximate=False) @ w_2.T + b_2, s_2, t_2)
    return x
