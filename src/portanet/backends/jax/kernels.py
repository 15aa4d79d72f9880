"""JAX's own bodies for functions of `portanet.functional`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax.scipy import special

from portanet.backends.jax import convolution, indexing


def contract(*operands: jax.Array, plan: Any) -> jax.Array:
    return jnp.einsum(plan.subscripts, *operands)


KERNELS: dict[str, Callable[..., Any]] = {
    **convolution.KERNELS,
    **indexing.KERNELS,
    "beta_share": special.betainc,
    "contract": contract,
    "detach": jax.lax.stop_gradient,
    "gamma_share": special.gammainc,
}
