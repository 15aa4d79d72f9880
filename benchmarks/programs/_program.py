"""What the programs share: how each library's user takes a value, a gradient and a step."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import torch

import portanet as pn
from benchmarks.agreement import agree
from benchmarks.peers.jax_adam import jax_step
from benchmarks.peers.jax_jit import compiled
from benchmarks.report import duration
from benchmarks.timing import interleave

RATE = 1e-3
_STEPS_COMPARED = 5
_TOLERANCES = {True: {"rtol": 1e-6, "atol": 1e-9}, False: {"rtol": 2e-4, "atol": 1e-5}}

Weights = Mapping[str, np.ndarray]


@dataclass(frozen=True)
class Program:
    """One workload.

    Parameters
    ----------
    title : str
    calls : callable
        Gives the contenders: "torch eager", "JAX jit" and "portanet".
    double : bool
        Whether it is computed in float64, in which results agree to 1e-6.
    steps : bool
        Whether a call is a step of training, whose loss is compared for several steps.
    """

    title: str
    calls: Callable[[], Mapping[str, Callable[[], Any]]]
    double: bool = False
    steps: bool = False


def measured(program: Program) -> Sequence[str]:
    """Return the row of a program, whose results are compared first."""
    with jax.enable_x64(True) if program.double else nullcontext():
        calls = program.calls()
        count = _STEPS_COMPARED if program.steps else 1
        found = {name: [x for _ in range(count) for x in _arrays(f())] for name, f in calls.items()}
        agree(program.title, found, **_TOLERANCES[program.double])
        times = interleave(calls)
    own = times["portanet"]
    ratios = [f"{own.ratios[name]:.2f}" for name in ("torch eager", "JAX jit")]
    return [program.title, duration(own.seconds), *ratios]


def _arrays(tree: Any) -> list[np.ndarray]:
    """Return the arrays of a result; those of a mapping by their names."""
    if isinstance(tree, Mapping):
        return [x for name in sorted(tree) for x in _arrays(tree[name])]
    if isinstance(tree, tuple | list):
        return [x for part in tree for x in _arrays(part)]
    return [tree.detach().numpy() if isinstance(tree, torch.Tensor) else np.asarray(tree)]


def tensors(tree: Any) -> Any:
    if isinstance(tree, Mapping):
        return {name: tensors(x) for name, x in tree.items()}
    if isinstance(tree, tuple | list):
        return type(tree)(map(tensors, tree))
    return torch.from_numpy(np.array(tree))


def gradients(
    ours: Callable[..., Any],
    on_torch: Callable[..., Any],
    on_jax: Callable[..., Any],
    ps: Weights,
    *data: Any,
) -> dict[str, Callable[[], Any]]:
    """Return contenders that take the value and the gradient of ``function(ps, *data)``."""
    both = pn.jit(pn.value_and_grad(ours))
    there = {name: x.requires_grad_() for name, x in tensors(ps).items()}
    data_there = tensors(data)

    def torch_both() -> Any:
        value = on_torch(there, *data_there)
        found = torch.autograd.grad(value, list(there.values()))
        return value, dict(zip(there, found, strict=True))

    return {
        "torch eager": torch_both,
        "JAX jit": compiled(jax.value_and_grad(on_jax), dict(ps), *data),
        "portanet": lambda: both(ps, *data),
    }


def steps(
    ours: Callable[..., Any],
    on_torch: Callable[..., Any],
    on_jax: Callable[..., Any],
    ps: Weights,
    *data: Any,
) -> dict[str, Callable[[], Any]]:
    """Return contenders that take a step of Adam on ``function(ps, *data)``."""
    there = {name: x.requires_grad_() for name, x in tensors(ps).items()}
    data_there = tensors(data)
    optimizer = torch.optim.Adam(there.values(), lr=RATE)

    def torch_step() -> Any:
        optimizer.zero_grad()
        value = on_torch(there, *data_there)
        value.backward()
        optimizer.step()
        return value.detach()

    names, leaves = list(ps), list(ps.values())

    def of_listed(weights: Any, *data: Any) -> Any:
        return on_jax(dict(zip(names, weights, strict=True)), *data)

    def loss(model: Any, ps: Any, st: Any, data: Any) -> Any:
        return model(ps, *data), st, {}

    ts = pn.training.TrainState(ours, dict(ps), {}, pn.optimizers.Adam(RATE))

    def step() -> Any:
        nonlocal ts
        value, _, ts = pn.training.train_step(loss, data, ts)
        return value

    return {
        "torch eager": torch_step,
        "JAX jit": jax_step(of_listed, leaves, [jnp.asarray(x) for x in data], RATE),
        "portanet": step,
    }
