"""Whole training steps, gradients and inference of dense networks."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any

import numpy as np

from benchmarks import networks
from benchmarks.agreement import agree
from benchmarks.peers import (
    by_hand,
    hips_autograd,
    ours,
    torch_compiled,
    torch_eager,
    torch_functional,
)
from benchmarks.report import comparison
from benchmarks.timing import interleave

_NETWORKS = networks.POLYNOMIAL, networks.SMALL, networks.LARGE
_STEPS_COMPARED = 5
_MOST_COMPILED = 10


def training() -> Iterator[str]:
    """Forward, loss, backward and the optimizer."""
    for network in (*_NETWORKS, networks.REGRESSION, *networks.DEEP):
        makers = {
            "NumPy by hand": by_hand.training_step,
            "HIPS autograd": hips_autograd.training_step,
            "torch eager": torch_eager.training_step,
            "torch by hand": torch_functional.training_step,
            **_compiled(network),
            **_jax("training_step"),
            "portanet on NumPy": ours.training_step,
            "portanet on NumPy, jit": partial(ours.training_step, jit=True),
            "portanet on torch": partial(ours.training_step, device="torch"),
        }
        steps = {name: make(network) for name, make in makers.items()}
        agree(network.name, {name: _losses(step) for name, step in steps.items()})
        yield comparison(f"Training step: {network.name}", interleave(steps))


def gradient() -> Iterator[str]:
    """The gradients of all weights."""
    for network in (*_NETWORKS, networks.TANH):
        makers = {
            "NumPy by hand": by_hand.gradient,
            "HIPS autograd": hips_autograd.gradient,
            "torch eager": torch_eager.gradient,
            "torch by hand": torch_functional.gradient,
            **_jax("gradient"),
            "portanet on NumPy": ours.gradient,
            "portanet on NumPy, jit": partial(ours.gradient, jit=True),
            "portanet on torch": partial(ours.gradient, device="torch"),
        }
        calls = {name: make(network) for name, make in makers.items()}
        agree(network.name, {name: call() for name, call in calls.items()})
        yield comparison(f"Gradient: {network.name}", interleave(calls))


def inference() -> Iterator[str]:
    """The forward pass alone, one row at a time."""
    for network in (networks.POLYNOMIAL, networks.SMALL):
        makers = {
            "NumPy by hand": by_hand.inference,
            "torch eager": torch_eager.inference,
            "torch by hand": torch_functional.inference,
            **_jax("inference"),
            "portanet on NumPy": ours.inference,
            "portanet on NumPy, jit": partial(ours.inference, jit=True),
            "portanet on torch": partial(ours.inference, device="torch"),
        }
        calls = {name: make(network, 1) for name, make in makers.items()}
        agree(network.name, {name: [call()] for name, call in calls.items()})
        title = network.name.partition(",")[0]
        yield comparison(f"Inference: {title}, batch 1", interleave(calls))


def _losses(step: Callable[[], Any]) -> list[np.ndarray]:
    return [np.asarray(step()) for _ in range(_STEPS_COMPARED)]


def _compiled(network: networks.Network) -> Mapping[str, Callable[..., Any]]:
    """``torch.compile`` where there is a compiler, and where it takes less than minutes."""
    if not torch_compiled.available() or len(network.sizes) > _MOST_COMPILED:
        return {}
    return {"torch compiled": torch_compiled.training_step}


def _jax(maker: str) -> Mapping[str, Callable[..., Any]]:
    """JAX where it is installed."""
    if importlib.util.find_spec("jax") is None:
        return {}
    from benchmarks.peers import jax_jit

    return {"JAX jit": getattr(jax_jit, maker)}
