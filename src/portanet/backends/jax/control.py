"""Branches and loops by JAX's own ``lax.cond``, ``lax.while_loop`` and ``lax.scan``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax
from jax.core import Tracer

from portanet.backends.jax.namespace import filled
from portanet.random import Key

Branch = Callable[..., list[Any]]


def cond(
    predicate: Any, true_function: Branch, false_function: Branch, operands: Sequence[Any]
) -> list[Any]:
    """Choose in the compiled program; see `Backend.cond`."""
    places = [i for i, x in enumerate(operands) if not isinstance(x, Key)]
    arrays = [operands[i] for i in places]

    def of_arrays(function: Branch) -> Branch:
        return lambda *arrays: function(*filled(operands, places, arrays))

    one, other = of_arrays(true_function), of_arrays(false_function)
    mask = _batch(predicate)
    if mask is None:
        return lax.cond(predicate, one, other, *arrays)
    left = _of_those(mask, predicate, one, arrays)
    right = _of_those(jnp.logical_not(mask), jnp.logical_not(predicate), other, arrays)
    return [jnp.where(predicate, x, y) for x, y in zip(left, right, strict=True)]


def _of_those(mask: Any, chosen: Any, function: Branch, arrays: Sequence[Any]) -> list[Any]:
    """Run a branch for the entries of a batch that choose it, if there are any.

    The others get an array of the first of these: JAX itself would let them make NaN of a zero
    cotangent.
    """
    first = jnp.argmax(mask)
    safe = []
    for x in arrays:
        entries = _batch(x)
        safe.append(x if entries is None else jnp.where(chosen, x, jnp.take(entries, first, 0)))

    def nothing(*arrays: Any) -> list[Any]:
        return [jnp.zeros(y.shape, y.dtype) for y in jax.eval_shape(function, *arrays)]

    return lax.cond(jnp.any(mask), function, nothing, *safe)


def _batch(x: Any) -> Any:
    """Return the entries of a batch, the axis of the batch first; None of what is in none."""
    while isinstance(x, Tracer):
        axis = getattr(x, "batch_dim", None)
        if axis is not None:
            entries: Any = getattr(x, "val", None)
            return jnp.moveaxis(entries, axis, 0)
        x = getattr(x, "primal", None)
    return None


def while_loop(
    condition: Callable[..., Any],
    step: Callable[..., list[Any]],
    carry: Sequence[Any],
    most: int | None,
) -> list[Any]:
    """Loop in the compiled program; with a bound by a scan, which has all derivatives."""
    if most is None:
        going, stepped = (lambda c: jnp.asarray(condition(*c))), (lambda c: step(*c))
        return lax.while_loop(going, stepped, list(carry))

    def one(carry: list[Any], _: None) -> tuple[list[Any], None]:
        going = jnp.asarray(condition(*carry))
        return cond(going, step, lambda *same: list(same), carry), None

    return lax.scan(one, list(carry), None, most)[0]
