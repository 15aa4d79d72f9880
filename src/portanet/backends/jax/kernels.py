"""JAX's own bodies for functions of `portanet.functional`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax.core import Tracer

from portanet.backends.generic import GENERIC
from portanet.backends.jax import convolution, indexing


def contract(*operands: jax.Array, plan: Any) -> jax.Array:
    return jnp.einsum(plan.subscripts, *operands)


def checked_indices(x: jax.Array, *, size: int, name: str, size_name: str) -> jax.Array:
    """Send what is no index to where a gather gives NaN: a compiled program cannot raise."""
    x = GENERIC["checked_indices"](x, size=size, name=name, size_name=size_name)
    return jnp.where(x < 0, size, x) if isinstance(x, Tracer) else x


KERNELS: dict[str, Callable[..., Any]] = {
    **convolution.KERNELS,
    **indexing.KERNELS,
    "contract": contract,
    "detach": jax.lax.stop_gradient,
    "checked_indices": checked_indices,
}
