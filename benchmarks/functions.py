"""The derivatives of sum(tanh(W x)), where the cost of a call is nearly all there is."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import autograd
import autograd.numpy as anp
import jax
import jax.numpy as jnp
import numpy as np
import torch

import portanet as pn
from benchmarks.agreement import agree
from benchmarks.peers import jax_jit, ours
from benchmarks.report import comparison
from benchmarks.timing import interleave

SIZE = 20


def functions() -> Iterator[str]:
    """Gradient, both products and the product with a Hessian, in x of 20 numbers."""
    rng = np.random.default_rng(0)
    w = (rng.normal(size=(SIZE, SIZE)) / SIZE).astype(np.float32)
    x, u = (rng.normal(size=SIZE).astype(np.float32) for _ in range(2))
    for title, calls in {
        "grad": _gradient(w, x),
        "vjp": _vjp(w, x, u),
        "jvp": _jvp(w, x, u),
        "hvp": _hvp(w, x, u),
    }.items():
        agree(title, {name: ours.listed(call()) for name, call in calls.items()})
        yield comparison(f"{title} of sum(tanh(W x)), {SIZE} numbers", interleave(calls))


def _energy(xp: Any, w: Any) -> Callable[[Any], Any]:
    return lambda x: xp.sum(xp.tanh(w @ x))


def _field(xp: Any, w: Any) -> Callable[[Any], Any]:
    return lambda x: xp.tanh(w @ x)


def _with_ours(calls: dict[str, Any], run: Callable[..., Any], *args: Any) -> dict[str, Any]:
    return {
        **calls,
        "portanet on NumPy": partial(run, *args),
        "portanet on NumPy, jit": partial(pn.jit(run), *args),
    }


def _gradient(w: np.ndarray, x: np.ndarray) -> dict[str, Callable[[], Any]]:
    on_torch, theirs = _energy(torch, torch.from_numpy(w)), torch.from_numpy(x).requires_grad_()
    calls = {
        "HIPS autograd": partial(autograd.grad(_energy(anp, w)), x),
        "torch eager": lambda: torch.autograd.grad(on_torch(theirs), theirs)[0],
        "JAX jit": jax_jit.compiled(jax.grad(_energy(jnp, jnp.asarray(w))), x),
    }
    return _with_ours(calls, pn.grad(_energy(np, w)), x)


def _vjp(w: np.ndarray, x: np.ndarray, u: np.ndarray) -> dict[str, Callable[[], Any]]:
    on_torch, theirs = _field(torch, torch.from_numpy(w)), torch.from_numpy(x).requires_grad_()
    cotangent, on_jax = torch.from_numpy(u), _field(jnp, jnp.asarray(w))
    make = autograd.make_vjp(_field(anp, w))
    calls = {
        "HIPS autograd": lambda: make(x)[0](u),
        "torch eager": lambda: torch.autograd.grad(on_torch(theirs), theirs, cotangent)[0],
        "JAX jit": jax_jit.compiled(lambda x, u: jax.vjp(on_jax, x)[1](u)[0], x, u),
    }
    return _with_ours(calls, partial(pn.vector_jacobian_product, _field(np, w)), x, u)


def _jvp(w: np.ndarray, x: np.ndarray, u: np.ndarray) -> dict[str, Callable[[], Any]]:
    on_torch, on_jax = _field(torch, torch.from_numpy(w)), _field(jnp, jnp.asarray(w))
    theirs = tuple(map(torch.from_numpy, (x, u)))
    make = autograd.make_jvp(_field(anp, w))
    calls = {
        "HIPS autograd": lambda: make(x)(u)[1],
        "torch.func": lambda: torch.func.jvp(on_torch, theirs[:1], theirs[1:])[1],
        "JAX jit": jax_jit.compiled(lambda x, u: jax.jvp(on_jax, (x,), (u,))[1], x, u),
    }
    return _with_ours(calls, partial(pn.jacobian_vector_product, _field(np, w)), x, u)


def _hvp(w: np.ndarray, x: np.ndarray, u: np.ndarray) -> dict[str, Callable[[], Any]]:
    on_torch = _energy(torch, torch.from_numpy(w))
    theirs = tuple(map(torch.from_numpy, (x, u)))
    slope, on_jax = torch.func.grad(on_torch), jax.grad(_energy(jnp, jnp.asarray(w)))
    product = autograd.hessian_vector_product(_energy(anp, w))
    calls = {
        "HIPS autograd": lambda: product(x, u),
        "torch.func": lambda: torch.func.jvp(slope, theirs[:1], theirs[1:])[1],
        "JAX jit": jax_jit.compiled(lambda x, u: jax.jvp(on_jax, (x,), (u,))[1], x, u),
    }
    return _with_ours(calls, partial(pn.hvp, _energy(np, w)), x, u)
