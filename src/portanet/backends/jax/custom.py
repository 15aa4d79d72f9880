"""Operations with derivatives of their own on JAX, in both modes.

JAX has a rule for each mode and lets one function have one of them only: the mode of the innermost
derivative chooses. Inside ``jax.jit`` that is not known yet, and reverse mode is taken.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax
import numpy as np
from jax.core import Tracer
from jax.interpreters.ad import JVPTracer

from portanet import tape
from portanet.backends.jax.autodiff import conjugate
from portanet.backends.jax.namespace import is_smooth
from portanet.tape.custom_rule import Kept


def custom(operation: tape.Operation, arrays: Sequence[Any]) -> list[Any]:
    """Call `operation` on JAX arrays; see `Backend.custom`."""
    if not any(isinstance(x, Tracer) for x in arrays):
        outputs = operation.function(*arrays)
        if any(map(_is_differentiated, outputs)):
            operation.refuse_captured()
        return outputs
    tracers = [x for x in map(_entry, arrays) if isinstance(x, Tracer)]
    forward = isinstance(max(tracers, key=_depth, default=None), JVPTracer)
    try:
        outputs = list((_forward_mode if forward else _reverse_mode)(operation)(*arrays))
    except jax.errors.UnexpectedTracerError:
        operation.refuse_captured()
    return outputs


def _entry(x: Any) -> Any:
    """Return the array that a batch is made of."""
    while hasattr(x, "batch_dim"):
        x = x.val
    return x


def _depth(x: Any) -> int:
    """Return how many traces there are around that of `x`."""
    depth, trace = 0, x._trace
    while (trace := getattr(trace, "parent_trace", None)) is not None:
        depth += 1
    return depth


def _is_differentiated(x: Any) -> bool:
    return getattr(x, "primal", None) is not None


def _reverse_mode(operation: tape.Operation) -> Any:
    @jax.custom_vjp
    def function(*arrays: Any) -> list[Any]:
        return list(operation.function(*arrays))

    def forward(*arrays: Any) -> tuple[list[Any], Any]:
        outputs, kept = _run(operation, arrays)
        return outputs, (arrays, outputs, kept)

    def backward(context: Any, cotangents: Sequence[Any]) -> tuple[Any, ...]:
        arrays, outputs, kept = context
        pairs = zip(outputs, cotangents, strict=True)
        seeds = [conjugate(g) if is_smooth(y) else None for y, g in pairs]
        parts = zip(arrays, operation.vjp(arrays, outputs, kept, seeds), strict=True)
        return tuple(jax.numpy.zeros_like(x) if g is None else conjugate(g) for x, g in parts)

    function.defvjp(forward, backward)
    return function


def _forward_mode(operation: tape.Operation) -> Any:
    @jax.custom_jvp
    def function(*arrays: Any) -> list[Any]:
        return list(operation.function(*arrays))

    @function.defjvp
    def _(arrays: Sequence[Any], tangents: Sequence[Any]) -> tuple[list[Any], list[Any]]:
        outputs, kept = _run(operation, arrays)
        parts = operation.jvp(arrays, outputs, kept, list(tangents))
        return outputs, [_tangent(y, t) for y, t in zip(outputs, parts, strict=True)]

    return function


def _run(operation: tape.Operation, arrays: Sequence[Any]) -> tuple[list[Any], list[Any]]:
    """Return the outputs and what is kept; under more derivatives the outputs have the rule too."""
    outputs, kept = operation.forward(*arrays)
    found = Kept(arrays, outputs, kept)
    if any(isinstance(x, Tracer) for x in arrays):
        outputs = custom(operation, arrays)
    return list(outputs), found.find(arrays, outputs, found.beside)


def _tangent(y: Any, t: Any) -> Any:
    if not is_smooth(y):
        return np.zeros(y.shape, jax.dtypes.float0)
    return jax.numpy.zeros_like(y) if t is None else t
