"""How far a recorded step is from the least that NumPy can take."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np

from benchmarks import networks
from benchmarks.agreement import agree
from benchmarks.peers import flat_replay, jax_jit, ours
from benchmarks.report import duration, table
from benchmarks.timing import Timing, interleave

_STEPS_COMPARED = 5


def limit() -> Iterator[str]:
    """Steps, and inference of one row, beside the flat replay of the same calls of NumPy."""
    steps = networks.POLYNOMIAL, networks.REGRESSION, networks.SMALL, networks.DEEP[1]
    rows = [_row(f"step: {network.name}", *_steps(network)) for network in steps]
    rows.append(_row(f"inference, batch 1: {networks.SMALL.name}", *_inference(networks.SMALL)))
    header = ["workload", "flat replay", "portanet on NumPy, jit", "÷ flat replay", "÷ JAX jit"]
    yield "### Beside the flat replay\n\n" + table(header, rows)


def _steps(network: networks.Network) -> tuple[Callable[[], Any], ...]:
    return (
        flat_replay.training_step(network),
        ours.training_step(network, jit=True),
        jax_jit.training_step(network),
    )


def _inference(network: networks.Network) -> tuple[Callable[[], Any], ...]:
    made = (flat_replay.inference, partial(ours.inference, jit=True), jax_jit.inference)
    return tuple(make(network, 1) for make in made)


def _row(title: str, *calls: Callable[[], Any]) -> list[str]:
    named: dict[str, Any] = dict(zip(("flat", "ours", "jax"), calls, strict=True))
    agree(
        title,
        {name: [np.array(call()) for _ in range(_STEPS_COMPARED)] for name, call in named.items()},
    )
    times: dict[str, Timing] = interleave(named)
    own = times["ours"]
    seconds = map(duration, (times["flat"].seconds, own.seconds))
    return [title, *seconds, *(f"{own.ratios[name]:.2f}" for name in ("flat", "jax"))]
