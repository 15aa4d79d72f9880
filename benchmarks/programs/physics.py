"""A step of a physics-informed network: the residual of Burgers' equation at 256 points."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import torch

import portanet as pn
from benchmarks.programs._program import Program, steps

POINTS, HIDDEN, VISCOSITY = 256, 32, 0.01


def physics() -> Program:
    _, _, ps, t, x = burgers(np.float32)
    return Program(
        f"step of a physics-informed network, {POINTS} points",
        lambda: steps(_ours, _torch, _jax, ps, t, x),
        steps=True,
    )


def burgers(dtype: Any) -> tuple[Any, ...]:
    """Return the loss here and in torch, the parameters, and the points."""
    rng = np.random.default_rng(0)
    sizes = (2, HIDDEN, HIDDEN, 1)
    ps = {}
    for i, (fan_in, fan_out) in enumerate(pairwise(sizes)):
        ps[f"w_{i}"] = (rng.normal(size=(fan_in, fan_out)) / fan_in**0.5).astype(dtype)
        ps[f"b_{i}"] = np.zeros(fan_out, dtype)
    t, x = rng.uniform(-1, 1, size=(2, POINTS, 1)).astype(dtype)
    return _ours, _torch, ps, t, x


def _network(xp: Any, ps: Any, t: Any, x: Any) -> Any:
    h = xp.concatenate([t, x], 1)
    h = xp.tanh(h @ ps["w_0"] + ps["b_0"])
    h = xp.tanh(h @ ps["w_1"] + ps["b_1"])
    return h @ ps["w_2"] + ps["b_2"]


def _residual(xp: Any, jvp: Callable[..., Any], ps: Any, t: Any, x: Any) -> Any:
    """Return ``u_t + u u_x - viscosity u_xx`` by nested derivatives along t and x."""
    one = xp.ones_like(x)

    def u_x(x: Any) -> Any:
        return jvp(lambda x: _network(xp, ps, t, x), (x,), (one,))[1]

    u, u_t = jvp(lambda t: _network(xp, ps, t, x), (t,), (one,))
    first, second = jvp(u_x, (x,), (one,))
    return u_t + u * first - VISCOSITY * second


def _ours(ps: Any, t: Any, x: Any) -> Any:
    return np.mean(_residual(np, pn.jvp, ps, t, x) ** 2)


def _jax(ps: Any, t: Any, x: Any) -> Any:
    return jnp.mean(_residual(jnp, jax.jvp, ps, t, x) ** 2)


def _torch(ps: Any, t: Any, x: Any) -> Any:
    t, x = (v.detach().requires_grad_() for v in (t, x))
    u = _network(torch, ps, t, x)
    u_t, u_x = torch.autograd.grad(u.sum(), (t, x), create_graph=True)
    (u_xx,) = torch.autograd.grad(u_x.sum(), x, create_graph=True)
    return torch.mean((u_t + u * u_x - VISCOSITY * u_xx) ** 2)
