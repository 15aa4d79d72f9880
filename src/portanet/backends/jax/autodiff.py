"""Derivatives on JAX: its own two modes, which nest to any depth."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import jax
import jax.numpy as jnp

from portanet.backends.jax.namespace import is_smooth
from portanet.errors import NoDerivativeError, TracedValueError
from portanet.interface.loops import UNBOUNDED

Pullback = Callable[[Sequence[Any]], list[Any]]


def vjp(function: Callable[..., Sequence[Any]], primals: Sequence[Any]) -> tuple[list, Pullback]:
    """Run ``function(*primals)`` in reverse mode; see `Backend.vjp`."""
    parted = _Parted(function)
    with _naming_captured():
        smooth, pull, others = jax.vjp(parted, *primals, has_aux=True)

    def pullback(cotangents: Sequence[Any]) -> list[Any]:
        pairs = zip(smooth, (cotangents[i] for i in parted.smooth), strict=True)
        seeds = tuple(jnp.zeros_like(y) if g is None else conjugate(g) for y, g in pairs)
        with _naming_captured():
            return [conjugate(g) for g in pull(seeds)]

    return parted.join(smooth, others), pullback


def jvp(
    function: Callable[..., Sequence[Any]], primals: Sequence[Any], tangents: Sequence[Any]
) -> tuple[list[Any], list[Any]]:
    """Run ``function(*primals)`` along `tangents` in forward mode; see `Backend.jvp`."""
    parted = _Parted(function)
    with _naming_captured():
        smooth, directions, others = jax.jvp(parted, tuple(primals), tuple(tangents), has_aux=True)
    return parted.join(smooth, others), parted.join(directions, [None] * len(others))


@contextlib.contextmanager
def _naming_captured() -> Iterator[None]:
    """Give JAX's errors of what it cannot differentiate portanet's class."""
    try:
        yield
    except jax.errors.UnexpectedTracerError as error:
        raise TracedValueError(
            "an array that is being differentiated is used outside of its function, or by a rule "
            "of which it is no positional argument, so that its derivative is lost: pass it as an "
            "argument or return it"
        ) from error
    except ValueError as error:
        if "Reverse-mode differentiation does not work for lax.while_loop" in str(error):
            raise NoDerivativeError(UNBOUNDED) from error
        raise


def conjugate(g: Any) -> Any:
    """Turn a cotangent of JAX's convention into one of ours, and back.

    JAX multiplies it by the derivative of a complex function, not by its conjugate.
    """
    return jnp.conj(g) if jnp.issubdtype(g.dtype, jnp.complexfloating) else g


class _Parted:
    """A function whose outputs are parted into floating-point arrays of JAX and all others.

    JAX differentiates the first and passes the others through, whatever they are.
    """

    def __init__(self, function: Callable[..., Sequence[Any]]) -> None:
        self.function = function
        self.smooth: list[int] = []

    def __call__(self, *arrays: Any) -> tuple[tuple[Any, ...], list[Any]]:
        outputs = self.function(*arrays)
        self.smooth = [i for i, y in enumerate(outputs) if is_smooth(y)]
        others = [None if i in self.smooth else y for i, y in enumerate(outputs)]
        return tuple(outputs[i] for i in self.smooth), others

    def join(self, smooth: Sequence[Any], others: Sequence[Any]) -> list[Any]:
        """Put the parts back into the order in which the function returned them."""
        joined = list(others)
        for i, y in zip(self.smooth, smooth, strict=True):
            joined[i] = y
        return joined
