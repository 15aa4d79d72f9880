"""Cards of the norms of vectors and matrices.

Where a norm has a kink the subgradient is the same on every backend: 0 at the zero vector and at
the zero matrix, 0 for an element that is 0 (orders below 2), equal shares for equal maxima.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from portanet.errors import HyperparameterError
from portanet.tape.box import strip
from portanet.tape.ops.batching import over_axes
from portanet.tape.ops.card import Card
from portanet.tape.ops.linalg_helpers import empty_stack
from portanet.tape.ops.reductions import Axis, kept
from portanet.tape.rule import Explicit, conj, is_complex


def _slope(xp: Any, y: Any, x: Any, axis: Axis, order: float) -> Any:
    """The gradient of the norm `y` of `x`, where `y` has the rank of `x`."""
    if order == 0:
        return xp.zeros_like(x)
    zero = y == 0
    scaled = x / xp.where(zero, 1.0, y)
    if math.isinf(order):
        sizes = xp.abs(strip(x))
        hit = xp.logical_or(sizes == y, xp.isnan(sizes))
        ties = xp.sum(xp.astype(hit, y.dtype), axis=axis, keepdims=True)
        direction = scaled if is_complex(xp, x.dtype) else xp.sign(x)
        return xp.where(zero, 0.0, xp.where(hit, direction / ties, 0.0))
    power = order - 2
    if power == 0:
        return xp.where(zero, 0.0, scaled)
    if power > 0 and power % 2 == 0:  # a polynomial: right to any order at elements of 0 too
        square = xp.real(scaled * conj(xp, scaled)) if is_complex(xp, x.dtype) else scaled * scaled
        return xp.where(zero, 0.0, scaled * square ** (power / 2))
    zero = xp.logical_or(zero, x == 0)
    return xp.where(zero, 0.0, scaled * xp.abs(xp.where(zero, 1.0, scaled)) ** power)


def _vector_norm_vjp(
    xp: Any, g: Any, y: Any, x: Any, *, axis: Axis = None, keepdims: bool = False, ord: float = 2
) -> Any:
    y = kept(xp, y, x, axis, keepdims)
    return kept(xp, g, x, axis, keepdims) * _slope(xp, y, x, axis, ord)


def _vector_norm_jvp(
    xp: Any, t: Any, y: Any, x: Any, *, axis: Axis = None, keepdims: bool = False, ord: float = 2
) -> Any:
    product = t * conj(xp, _slope(xp, kept(xp, y, x, axis, keepdims), x, axis, ord))
    if is_complex(xp, x.dtype):
        product = xp.real(product)
    return xp.sum(product, axis=axis, keepdims=keepdims)


CARDS = [
    Card("linalg.vector_norm", Explicit(_vector_norm_vjp, _vector_norm_jvp), over_axes, fresh=True),
]


# The reduction of the singular values, or of the sums of magnitudes along an axis.
_REDUCED: dict[Any, tuple[str, int | None]] = {
    "nuc": ("sum", None),
    2: ("max", None),
    -2: ("min", None),
    1: ("max", -2),
    -1: ("min", -2),
    math.inf: ("max", -1),
    -math.inf: ("min", -1),
}


def _matrix_norm(xp: Any, x: Any, /, *, keepdims: bool = False, ord: Any = "fro") -> Any:
    frobenius = ord is None or ord in ("fro", "f")
    if not frobenius and ord not in _REDUCED:
        raise HyperparameterError(f"ord in {['fro', *_REDUCED]}: got {ord!r}")
    xp.raw.linalg.matrix_norm(empty_stack(xp, x), keepdims=keepdims, ord=ord)
    if frobenius:
        return xp.linalg.vector_norm(x, axis=(-2, -1), keepdims=keepdims)
    reduction, summed = _REDUCED[ord]
    sizes = xp.linalg.svdvals(x) if summed is None else xp.sum(xp.abs(x), axis=summed)
    norm = getattr(xp, reduction)(sizes, axis=-1)
    return norm[..., None, None] if keepdims else norm


COMPOSITES: dict[str, Callable[..., Any]] = {"linalg.matrix_norm": _matrix_norm}
