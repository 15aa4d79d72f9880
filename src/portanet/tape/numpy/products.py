"""Products of vectors, matrices and tensors, in NumPy's words and with its notation of sums."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from portanet.errors import ShapeError
from portanet.tape.einsum import contract, plan_of
from portanet.tape.numpy.operands import array, flat


def dot(xp: Any, a: Any, b: Any, out: Any = None) -> Any:
    a, b = array(xp, a), array(xp, b)
    if a.ndim == 0 or b.ndim == 0:
        return xp.multiply(a, b)
    return xp.matmul(a, b) if b.ndim <= 2 else xp.tensordot(a, b, axes=((-1,), (-2,)))


def vdot(xp: Any, a: Any, b: Any, /) -> Any:
    return xp.vecdot(flat(xp, a), flat(xp, b))


def inner(xp: Any, a: Any, b: Any, /) -> Any:
    a, b = array(xp, a), array(xp, b)
    if a.ndim == 0 or b.ndim == 0:
        return xp.multiply(a, b)
    return xp.tensordot(a, b, axes=((-1,), (-1,)))


def outer(xp: Any, a: Any, b: Any, out: Any = None) -> Any:
    return xp.multiply(flat(xp, a)[:, None], flat(xp, b)[None, :])


def tensordot(xp: Any, a: Any, b: Any, axes: Any = 2) -> Any:
    a, b = array(xp, a), array(xp, b)
    if not isinstance(axes, int):
        axes = tuple((side,) if np.ndim(side) == 0 else tuple(side) for side in axes)
    return xp.tensordot(a, b, axes=axes)


def kron(xp: Any, a: Any, b: Any) -> Any:
    a, b = array(xp, a), array(xp, b)
    rank = max(a.ndim, b.ndim)
    a, b = (xp.reshape(x, (*(1,) * (rank - x.ndim), *x.shape)) for x in (a, b))
    left = tuple(n for size in a.shape for n in (size, 1))
    right = tuple(n for size in b.shape for n in (1, size))
    product = xp.multiply(xp.reshape(a, left), xp.reshape(b, right))
    return xp.reshape(product, tuple(m * n for m, n in zip(a.shape, b.shape, strict=True)))


def trace(
    xp: Any, a: Any, offset: int = 0, axis1: int = 0, axis2: int = 1, dtype: Any = None,
    out: Any = None,
) -> Any:  # fmt: skip
    moved = xp.moveaxis(a, (axis1, axis2), (-2, -1))
    dtype = None if dtype is None else np.dtype(dtype)
    return xp.linalg.trace(moved, offset=int(offset), dtype=dtype)


def cross(
    xp: Any, a: Any, b: Any, axisa: int = -1, axisb: int = -1, axisc: int = -1, axis: Any = None
) -> Any:
    if axis is not None:
        axisa = axisb = axisc = axis
    a, b = xp.moveaxis(array(xp, a), axisa, -1), xp.moveaxis(array(xp, b), axisb, -1)
    y = xp.linalg.cross(a, b)
    if a.shape[-1] == b.shape[-1] == 2:
        return y  # numbers, without an axis of their own
    return xp.moveaxis(y, -1, axisc)


def multi_dot(xp: Any, arrays: Sequence[Any], *, out: Any = None) -> Any:
    """Multiply a chain in the cheapest order; a vector may stand at either end."""
    parts = [array(xp, x) for x in arrays]
    shapes = [x.shape for x in parts]
    letters = [chr(ord("a") + i) for i in range(len(parts) + 1)]
    terms = [left + right for left, right in itertools.pairwise(letters)]
    if len(shapes[0]) == 1:
        terms[0] = terms[0][1]
    if len(shapes[-1]) == 1:
        terms[-1] = terms[-1][0]
    if any(len(shape) != 2 for shape in shapes[1:-1]) or len(parts) < 2:
        raise ShapeError(f"multi_dot multiplies two matrices or more: got the shapes {shapes}")
    kept = [i for i in "".join(terms) if "".join(terms).count(i) == 1]
    return contract(xp, parts, plan_of(f"{','.join(terms)}->{''.join(kept)}", tuple(shapes)))


def einsum(
    xp: Any, *operands: Any, out: Any = None, optimize: Any = False, dtype: Any = None,
    order: str = "K", casting: str = "safe",
) -> Any:  # fmt: skip
    subscripts, factors = _parsed(operands)
    parts = [array(xp, x) for x in factors]
    common = np.result_type(*(x.dtype for x in parts)) if dtype is None else np.dtype(dtype)
    parts = [x if x.dtype == common else xp.astype(x, common) for x in parts]
    subscripts, parts = _without_ones(xp, subscripts, parts)
    y = contract(xp, parts, plan_of(subscripts, tuple(x.shape for x in parts)))
    return y if y.dtype == common else xp.astype(y, common)  # sums of integers are longer


def _parsed(operands: Sequence[Any]) -> tuple[str, Sequence[Any]]:
    """Return the subscripts as text: they may be given as lists of numbers after each operand."""
    if isinstance(operands[0], str):
        return operands[0].replace(" ", ""), operands[1:]
    pairs = len(operands) // 2
    terms = [_letters(operands[2 * i + 1]) for i in range(pairs)]
    arrow = "->" + _letters(operands[-1]) if len(operands) % 2 else ""
    return ",".join(terms) + arrow, operands[: 2 * pairs : 2]


def _letters(numbers: Sequence[Any]) -> str:
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
    return "".join("..." if i is Ellipsis else letters[i] for i in numbers)


def _without_ones(xp: Any, subscripts: str, parts: list[Any]) -> tuple[str, list[Any]]:
    """Drop axes of size 1 whose index has another size elsewhere: NumPy broadcasts them."""
    inputs, arrow, output = subscripts.partition("->")
    terms = inputs.split(",")
    if "..." in inputs or len(terms) != len(parts):
        return subscripts, parts
    sizes: dict[str, int] = {}
    for term, x in zip(terms, parts, strict=True):
        if len(term) != x.ndim:
            return subscripts, parts
        for index, n in zip(term, x.shape, strict=True):
            sizes[index] = max(sizes.get(index, n), n)
    if not arrow:
        output = "".join(sorted(i for i in sizes if inputs.count(i) == 1))
    for number, (term, x) in enumerate(zip(terms, parts, strict=True)):
        ones = [i for i, index in enumerate(term) if x.shape[i] == 1 and sizes[index] != 1]
        if ones:
            parts[number] = xp.squeeze(x, axis=tuple(ones))
            terms[number] = "".join(index for i, index in enumerate(term) if i not in ones)
    return f"{','.join(terms)}->{output}", parts


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "cross": cross,
    "dot": dot,
    "einsum": einsum,
    "inner": inner,
    "kron": kron,
    "linalg.multi_dot": multi_dot,
    "outer": outer,
    "tensordot": tensordot,
    "trace": trace,
    "vdot": vdot,
}
