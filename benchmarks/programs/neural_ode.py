"""A neural ordinary differential equation: the error of its paths, and its gradient."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import torch

import portanet as pn
from benchmarks.programs._program import Program, gradients

STEPS, PATHS, HIDDEN, DT = 40, 16, 32, 0.05


def neural_ode() -> Program:
    rng = np.random.default_rng(0)
    shapes = {"w_1": (2, HIDDEN), "b_1": (HIDDEN,), "w_2": (HIDDEN, 2), "b_2": (2,)}
    ps = {name: 0.3 * rng.normal(size=shape) for name, shape in shapes.items()}
    start = rng.normal(size=(PATHS, 2))
    paths = rng.normal(size=(STEPS, PATHS, 2))
    return Program(
        f"neural ODE, {STEPS} steps of {PATHS} paths, and its gradient",
        lambda: gradients(_ours, _torch, _jax, ps, start, paths),
        double=True,
    )


def _runge_kutta(field: Callable[[Any], Any], u: Any) -> Any:
    k_1 = field(u)
    k_2 = field(u + 0.5 * DT * k_1)
    k_3 = field(u + 0.5 * DT * k_2)
    k_4 = field(u + DT * k_3)
    return u + DT / 6.0 * (k_1 + 2.0 * k_2 + 2.0 * k_3 + k_4)


def _field(tanh: Callable[[Any], Any], ps: Any) -> Callable[[Any], Any]:
    return lambda u: tanh(u @ ps["w_1"] + ps["b_1"]) @ ps["w_2"] + ps["b_2"]


def _ours(ps: Any, start: Any, paths: Any) -> Any:
    def step(u: Any, _: Any) -> tuple[Any, Any]:
        u = _runge_kutta(_field(np.tanh, ps), u)
        return u, u

    _, found = pn.scan(step, start, length=STEPS)
    return np.mean((found - paths) ** 2)


def _torch(ps: Any, start: Any, paths: Any) -> Any:
    field, u, found = _field(torch.tanh, ps), start, []
    for _ in range(STEPS):
        u = _runge_kutta(field, u)
        found.append(u)
    return torch.mean((torch.stack(found) - paths) ** 2)


def _jax(ps: Any, start: Any, paths: Any) -> Any:
    def step(u: Any, _: Any) -> tuple[Any, Any]:
        u = _runge_kutta(_field(jnp.tanh, ps), u)
        return u, u

    _, found = jax.lax.scan(step, start, length=STEPS)
    return jnp.mean((found - paths) ** 2)
