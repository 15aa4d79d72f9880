"""Whole training steps, gradients and inference of dense networks."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any

import numpy as np

from benchmarks import networks
from benchmarks.networks import Network
from benchmarks.peers import by_hand, hips_autograd, ours, torch_eager, torch_functional
from benchmarks.report import comparison
from benchmarks.timing import interleave

_NETWORKS = (networks.POLYNOMIAL, networks.SMALL, networks.LARGE)
_STEPS_COMPARED = 5


def training() -> Iterator[str]:
    """Forward, loss, backward and Adam."""
    for network in _NETWORKS:
        makers = {
            "NumPy by hand": by_hand.training_step,
            "HIPS autograd": hips_autograd.training_step,
            "torch eager": torch_eager.training_step,
            "torch by hand": torch_functional.training_step,
            "portanet on NumPy": ours.training_step,
            "portanet on torch": partial(ours.training_step, device="torch"),
        }
        steps = {name: make(network) for name, make in makers.items()}
        _agree(network, {name: _losses(step) for name, step in steps.items()})
        yield comparison(f"Training step: {network.name}", interleave(steps))


def gradient() -> Iterator[str]:
    """The gradients of all weights."""
    for network in _NETWORKS:
        calls = {
            "NumPy by hand": by_hand.gradient(network),
            "HIPS autograd": hips_autograd.gradient(network),
            "torch by hand": torch_functional.gradient(network),
            "portanet on NumPy": ours.gradient(network),
            "portanet on torch": ours.gradient(network, "torch"),
        }
        _agree(network, {name: list(map(np.asarray, call())) for name, call in calls.items()})
        yield comparison(f"Gradient: {network.name}", interleave(calls))


def inference() -> Iterator[str]:
    """The forward pass alone, one row at a time."""
    for network in (networks.POLYNOMIAL, networks.SMALL):
        calls = {
            "NumPy by hand": by_hand.inference(network, 1),
            "torch eager": torch_eager.inference(network, 1),
            "torch by hand": torch_functional.inference(network, 1),
            "portanet on NumPy": ours.inference(network, 1),
            "portanet on torch": ours.inference(network, 1, "torch"),
        }
        _agree(network, {name: [np.asarray(call())] for name, call in calls.items()})
        title = network.name.partition(",")[0]
        yield comparison(f"Inference: {title}, batch 1", interleave(calls))


def _losses(step: Callable[[], Any]) -> list[np.ndarray]:
    return [np.asarray(step()) for _ in range(_STEPS_COMPARED)]


def _agree(network: Network, results: Mapping[str, list[np.ndarray]]) -> None:
    reference = results["NumPy by hand"]
    for name, result in results.items():
        for found, wanted in zip(result, reference, strict=True):
            np.testing.assert_allclose(
                found, wanted, rtol=2e-4, atol=1e-6, err_msg=f"{network.name}: {name}"
            )
