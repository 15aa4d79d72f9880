"""Jacobians, Hessian-vector products and derivatives with respect to the inputs of a network."""

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
from benchmarks.networks import Network
from benchmarks.peers import hips_autograd, jax_jit, ours, torch_functional
from benchmarks.report import comparison
from benchmarks.timing import interleave

FIELD = Network("20→64→64→20 tanh", (20, 64, 64, 20), 1, "tanh", "cross_entropy", 1e-3)
WAVE = Network("1→32→32→1 tanh, 256 points", (1, 32, 32, 1), 256, "tanh", "mse", 1e-3)
_LABELS = {"numpy": "NumPy", "torch": "torch"}


def _hips(network: Network) -> tuple[Any, Callable[..., Any]]:
    return network.weights(), lambda ws, x: hips_autograd.predict(network.activation, ws, x)


def _torch(network: Network) -> tuple[Any, Callable[..., Any]]:
    weights = [torch.from_numpy(w) for w in network.weights()]
    return weights, lambda ws, x: torch_functional.predict(network.activation, ws, x)


def _report(title: str, calls: dict[str, Callable[[], Any]], **tolerances: float) -> str:
    agree(title, {name: ours.listed(call()) for name, call in calls.items()}, **tolerances)
    return comparison(title, interleave(calls))


def _ours(name: str, run: Callable[..., Any], *args: Any) -> dict[str, Callable[[], Any]]:
    """Return portanet's contenders on one library."""
    calls = {f"portanet on {_LABELS[name]}": partial(run, *args)}
    if name == "numpy":
        calls["portanet on NumPy, jit"] = partial(pn.jit(run), *args)
    return calls


def jacobian() -> Iterator[str]:
    """The full Jacobian of a network in its 20 inputs, and a product with a Hessian."""
    rng = np.random.default_rng(2)
    x, v = (rng.normal(size=20).astype(np.float32) for _ in range(2))
    theirs_x, theirs_v = map(torch.from_numpy, (x, v))
    hips_ps, hips = _hips(FIELD)
    torch_ps, functional = _torch(FIELD)

    def torch_field(x: Any) -> Any:
        return functional(torch_ps, x)

    def torch_energy(x: Any) -> Any:
        return torch.sum(torch_field(x) ** 2)

    def hips_energy(x: Any) -> Any:
        return anp.sum(hips(hips_ps, x) ** 2)

    jax_ps, jax_predict = jax_jit.function(FIELD)
    jax_field = partial(jax_predict, jax_ps)
    fields = {name: ours.function(FIELD, name) for name in ("numpy", "torch")}
    places = {"numpy": (x, v), "torch": (theirs_x, theirs_v)}

    def energy(name: str) -> Callable[[Any], Any]:
        ps, field = fields[name]
        xp = pn.array_namespace(places[name][0])
        return lambda x: xp.sum(field(ps, x) ** 2)

    calls: dict[str, Callable[[], Any]] = {
        "HIPS autograd": partial(autograd.jacobian(lambda x: hips(hips_ps, x)), x),
        "torch jacrev": partial(torch.func.jacrev(torch_field), theirs_x),
        "torch jacfwd": partial(torch.func.jacfwd(torch_field), theirs_x),
    }
    calls["JAX jit"] = jax_jit.compiled(jax.jacobian(jax_field), x)
    for name, (ps, field) in fields.items():
        run = pn.jacobian(partial(field, ps))
        calls |= _ours(name, run, places[name][0])
    yield _report(f"Jacobian: {FIELD.name}", calls)

    slope = torch.func.grad(torch_energy)
    product = autograd.hessian_vector_product(hips_energy)
    calls = {
        "HIPS autograd": lambda: product(x, v),
        "torch.func jvp of grad": lambda: torch.func.jvp(slope, (theirs_x,), (theirs_v,))[1],
        "torch double backward": lambda: torch.autograd.functional.hvp(
            torch_energy, theirs_x, theirs_v
        )[1],
    }
    jax_slope = jax.grad(lambda x: jnp.sum(jax_field(x) ** 2))
    calls["JAX jit"] = jax_jit.compiled(lambda x, v: jax.jvp(jax_slope, (x,), (v,))[1], x, v)
    for name in fields:
        calls |= _ours(name, partial(pn.hvp, energy(name)), *places[name])
    yield _report(f"Hessian-vector product: {FIELD.name}", calls, atol=1e-5)


def physics() -> Iterator[str]:
    """d²u/dx² at every point, and the gradient of the loss of u″ = −sin x in the weights."""
    x, _ = WAVE.data()
    theirs_x = torch.from_numpy(x)
    hips_ps, hips = _hips(WAVE)
    torch_ps, functional = _torch(WAVE)
    along, theirs_along = np.ones_like(x), torch.ones_like(theirs_x)

    def hips_second(ws: Any, x: Any) -> Any:
        first = autograd.elementwise_grad(lambda x: hips(ws, x))
        return autograd.elementwise_grad(first)(x)

    def torch_second(ws: Any, graph: bool = False) -> Any:
        x = theirs_x.detach().requires_grad_()
        (first,) = torch.autograd.grad(functional(ws, x).sum(), x, create_graph=True)
        return torch.autograd.grad(first.sum(), x, create_graph=graph)[0]

    def func_second(ws: Any) -> Any:
        def first(x: Any) -> Any:
            return torch.func.jvp(lambda x: functional(ws, x), (x,), (theirs_along,))[1]

        return torch.func.jvp(first, (theirs_x,), (theirs_along,))[1]

    fields = {name: ours.function(WAVE, name) for name in ("numpy", "torch")}
    places = {"numpy": (x, along), "torch": (theirs_x, theirs_along)}

    def second(name: str, ps: Any) -> Any:
        x, along = places[name]

        def first(x: Any) -> Any:
            return pn.jvp(lambda x: fields[name][1](ps, x), (x,), (along,))[1]

        return pn.jvp(first, (x,), (along,))[1]

    jax_ps, jax_predict = jax_jit.function(WAVE)
    jax_along = jnp.asarray(along)

    def jax_second(ws: Any, x: Any) -> Any:
        def first(x: Any) -> Any:
            return jax.jvp(partial(jax_predict, ws), (x,), (jax_along,))[1]

        return jax.jvp(first, (x,), (jax_along,))[1]

    calls: dict[str, Callable[[], Any]] = {
        "HIPS autograd": lambda: hips_second(hips_ps, x),
        "torch double backward": lambda: torch_second(torch_ps),
        "torch.func jvp of jvp": lambda: func_second(torch_ps),
        "JAX jit": jax_jit.compiled(jax_second, jax_ps, x),
    }
    for name, (ps, _) in fields.items():
        calls |= _ours(name, partial(second, name), ps)
    yield _report(f"d²u/dx²: {WAVE.name}", calls, rtol=1e-3, atol=1e-5)

    def hips_loss(*ws: Any) -> Any:
        return anp.mean((hips_second(ws, x) + np.sin(x)) ** 2)

    def torch_gradient() -> Any:
        ws = [w.detach().requires_grad_() for w in torch_ps]
        loss = torch.mean((torch_second(ws, graph=True) + torch.sin(theirs_x)) ** 2)
        return torch.autograd.grad(loss, ws, materialize_grads=True)

    def func_loss(ws: Any) -> Any:
        return torch.mean((func_second(ws) + torch.sin(theirs_x)) ** 2)

    def jax_loss(ws: Any, x: Any) -> Any:
        return jnp.mean((jax_second(ws, x) + jnp.sin(x)) ** 2)

    def loss(name: str) -> Callable[[Any], Any]:
        xp = pn.array_namespace(places[name][0])
        source = xp.sin(places[name][0])
        return lambda ps: xp.mean((second(name, ps) + source) ** 2)

    hips_gradient = autograd.grad(hips_loss, argnum=tuple(range(len(hips_ps))))
    calls = {
        "HIPS autograd": partial(hips_gradient, *hips_ps),
        "torch double backward": torch_gradient,
        "torch.func jvp of jvp": partial(torch.func.grad(func_loss), torch_ps),
        "JAX jit": jax_jit.compiled(jax.grad(jax_loss), jax_ps, x),
    }
    for name, (ps, _) in fields.items():
        calls |= _ours(name, pn.grad(loss(name)), ps)
    yield _report(f"Gradient of a physics-informed loss: {WAVE.name}", calls, rtol=2e-3, atol=2e-5)
