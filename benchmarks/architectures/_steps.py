"""Training steps with Adam around any model, as the users of each library write them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch

import portanet as pn
from benchmarks.agreement import agree
from benchmarks.report import comparison
from benchmarks.timing import interleave

RATE = 1e-3
STEPS_COMPARED = 5


def ours(
    model: pn.Layer, ps: Any, loss: Any, data: Any, device: str = "numpy", jit: bool = False
) -> Callable[[], Any]:
    """Return a step of portanet that goes on where the one before it ended."""
    ps, st, data = pn.device(device)((ps, pn.setup(0, model)[1], data))
    ts = pn.training.TrainState(model, ps, st, pn.optimizers.Adam(RATE))

    def step() -> Any:
        nonlocal ts
        value, _, ts = pn.training.train_step(loss, data, ts, jit=jit)
        return value

    return step


def all_of_ours(*what: Any) -> dict[str, Callable[[], Any]]:
    """Return portanet's contenders for ``model, ps, loss, data``."""
    return {
        "portanet on NumPy": ours(*what),
        "portanet on NumPy, jit": ours(*what, jit=True),
        "portanet on torch": ours(*what, device="torch"),
    }


def of_torch(
    module: torch.nn.Module, weights: Any, objective: Callable[..., Any], data: Any
) -> Callable[[], Any]:
    """Return a step of torch: ``objective(module, *data)`` is the loss."""
    with torch.no_grad():
        for parameter, weight in zip(module.parameters(), weights, strict=True):
            parameter.copy_(torch.from_numpy(np.ascontiguousarray(weight)))
    tensors = [torch.from_numpy(np.ascontiguousarray(x)) for x in data]
    optimizer = torch.optim.Adam(module.parameters(), lr=RATE)

    def step() -> Any:
        optimizer.zero_grad()
        value = objective(module, *tensors)
        value.backward()
        optimizer.step()
        return value.detach()

    return step


def compared(title: str, steps: Mapping[str, Callable[[], Any]]) -> str:
    """Check that the losses of some steps agree, and return the table of their times."""
    losses = {
        name: [np.asarray(step()) for _ in range(STEPS_COMPARED)] for name, step in steps.items()
    }
    agree(title, losses)
    return comparison(f"Training step: {title}", interleave(steps))
