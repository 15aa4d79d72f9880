"""JAX's own bodies for functions of `portanet.functional`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from portanet.backends.jax import convolution


def contract(*operands: jax.Array, plan: Any) -> jax.Array:
    return jnp.einsum(plan.subscripts, *operands)


def add_at(x: jax.Array, y: jax.Array, *, index: Any) -> jax.Array:
    return x.at[index].add(y)


def replace_at(x: jax.Array, y: jax.Array, *, index: Any) -> jax.Array:
    return x.at[index].set(y)


KERNELS: dict[str, Callable[..., Any]] = {
    **convolution.KERNELS,
    "add_at": add_at,
    "contract": contract,
    "detach": jax.lax.stop_gradient,
    "replace_at": replace_at,
}
