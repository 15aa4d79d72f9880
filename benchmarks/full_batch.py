"""Full-batch minimisation of a physics-informed loss, beside torch's own L-BFGS."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch

import portanet as pn
from benchmarks.programs._program import tensors
from benchmarks.programs.physics import burgers
from benchmarks.report import duration, table
from benchmarks.timing import interleave

_STEPS = 60
_MEMORY = 10
_SAME = 0.5
"""How far the two losses may be apart, as a share: the line searches differ, and so the paths."""


def full_batch() -> Iterator[str]:
    """As many steps of L-BFGS from the same parameters, in float64."""
    ours, on_torch, ps, t, x = burgers(np.float64)
    contenders: dict[str, Callable[[], tuple[float, int]]] = {
        "torch.optim.LBFGS": _in_torch(on_torch, ps, t, x),
        "portanet.training.minimize": _here(ours, ps, t, x),
    }
    found = {name: run() for name, run in contenders.items()}
    values = [value for value, _ in found.values()]
    if not max(values) - min(values) <= _SAME * max(values):
        raise AssertionError(f"L-BFGS ends at different losses: {found}")
    times = interleave(contenders)
    base = times["portanet.training.minimize"]
    rows = [
        [
            name,
            duration(times[name].seconds),
            f"{base.ratios[name]:.2f}",
            f"{value:.3g}",
            str(evaluations),
            duration(times[name].seconds / evaluations),
        ]
        for name, (value, evaluations) in found.items()
    ]
    header = ["contender", "time", "portanet ÷ it", "loss", "evaluations", "time of one"]
    title = f"### {_STEPS} steps of L-BFGS on a physics-informed network, {len(x)} points"
    yield f"{title}\n\n{table(header, rows)}"


def _here(ours: Callable[..., Any], ps: Any, *data: Any) -> Callable[[], tuple[float, int]]:
    def loss(model: Any, ps: Any, st: Any, data: Any) -> Any:
        return model(ps, *data), st, {}

    ts = pn.training.TrainState(ours, dict(ps), {}, pn.optimizers.SGD())

    def run() -> tuple[float, int]:
        _, found = pn.training.minimize(
            ts, loss, data, max_steps=_STEPS, gtol=0.0, ftol=0.0, memory=_MEMORY
        )
        return found.value, found.evaluations

    return run


def _in_torch(on_torch: Callable[..., Any], ps: Any, *data: Any) -> Callable[[], tuple[float, int]]:
    data_there = tensors(data)

    def run() -> tuple[float, int]:
        there = {name: x.requires_grad_() for name, x in tensors(ps).items()}
        optimizer = torch.optim.LBFGS(
            list(there.values()),
            max_iter=_STEPS,
            max_eval=100 * _STEPS,
            tolerance_grad=0.0,
            tolerance_change=0.0,
            history_size=_MEMORY,
            line_search_fn="strong_wolfe",
        )
        evaluations = 0

        def closure() -> Any:
            nonlocal evaluations
            evaluations += 1
            optimizer.zero_grad()
            value = on_torch(there, *data_there)
            value.backward()
            return value

        optimizer.step(closure)
        return float(on_torch(there, *data_there).detach()), evaluations

    return run
