"""Batching of linear algebra, which takes stacks of matrices, and of the Fourier transforms."""

from __future__ import annotations

from typing import Any

from portanet.errors import ShapeError
from portanet.tape.batching._parts import (
    Rule,
    behind,
    entries_of,
    flat,
    lift,
    positive,
    rank_of,
    spread,
)


def matrices(
    trace: Any, primitive: Any, values: list[Any], batched: list[bool], kwargs: dict[str, Any]
) -> Any:
    """A function of stacks of matrices; every array is given the batch axis."""
    xp = primitive.xp
    ranks = [rank_of(x, own) for x, own in zip(values, batched, strict=True)]
    if min(ranks) < 2:
        raise ShapeError(f"{primitive.name} needs matrices: x.ndim >= 2: {min(ranks)} < 2")
    stacks = [
        lift(xp, spread(xp, x, own, trace.size), max(ranks))
        for x, own in zip(values, batched, strict=True)
    ]
    return primitive(*stacks, **kwargs)


def _solve(
    trace: Any, primitive: Any, values: list[Any], batched: list[bool], kwargs: dict[str, Any]
) -> Any:
    xp, (a, b) = primitive.xp, values
    if rank_of(b, batched[1]) != 1:
        return matrices(trace, primitive, values, batched, kwargs)
    if not batched[0] and a.ndim == 2:  # every entry is a right side of one system
        return xp.matrix_transpose(primitive(a, xp.matrix_transpose(b)))
    x = matrices(trace, primitive, [a, xp.expand_dims(b, axis=-1)], batched, kwargs)
    return xp.squeeze(x, axis=-1)


def _cross(
    trace: Any, primitive: Any, values: list[Any], batched: list[bool], kwargs: dict[str, Any]
) -> Any:
    """Move the vectors to the last axis, so that the batch axis is in front of every other."""
    xp, axis = primitive.xp, kwargs.get("axis", -1)
    ranks = [rank_of(x, own) for x, own in zip(values, batched, strict=True)]
    stacks = [
        xp.moveaxis(spread(xp, x, own, trace.size), positive("cross", axis, rank) + 1, -1)
        for x, own, rank in zip(values, batched, ranks, strict=True)
    ]
    product = primitive(*(lift(xp, x, max(ranks)) for x in stacks), axis=-1)
    return xp.moveaxis(product, -1, positive("cross", axis, max(ranks)) + 1)


def _outer(
    trace: Any, primitive: Any, values: list[Any], batched: list[bool], kwargs: dict[str, Any]
) -> Any:
    xp = primitive.xp
    entries = entries_of(trace, primitive, values, batched)
    primitive.compute(*(x[:1] if x.ndim == 1 else x for x in entries))  # refuses what it must
    a, b = (
        flat(xp, spread(xp, x, own, trace.size)) for x, own in zip(values, batched, strict=True)
    )
    return xp.expand_dims(a, axis=-1) * xp.expand_dims(b, axis=-2)


def _pinv(
    trace: Any, primitive: Any, values: list[Any], batched: list[bool], kwargs: dict[str, Any]
) -> Any:
    xp, (x, rtol) = primitive.xp, values
    rank = rank_of(x, batched[0])
    rtol = lift(xp, rtol, max(rank - 2, 0)) if batched[1] else rtol
    if rank < 2:
        raise ShapeError(f"pinv needs matrices: x.ndim >= 2: {rank} < 2")
    return primitive(spread(xp, x, batched[0], trace.size), rtol)


def _transform(
    trace: Any, primitive: Any, values: list[Any], batched: list[bool], kwargs: dict[str, Any]
) -> Any:
    """Transform one axis, the last by default."""
    x = values[0]
    axis = positive(primitive.name, kwargs.get("axis", -1), x.ndim - 1) + 1
    return primitive(x, **{**kwargs, "axis": axis})


def _transforms(
    trace: Any, primitive: Any, values: list[Any], batched: list[bool], kwargs: dict[str, Any]
) -> Any:
    """Transform several axes: the last ones if only sizes are given, all without either."""
    x, axes, sizes = values[0], kwargs.get("axes"), kwargs.get("s")
    if axes is None and sizes is not None:
        axes = tuple(range(-len(sizes), 0))
    return primitive(x, **{**kwargs, "axes": behind(primitive.name, axes, x.ndim - 1)})


RULES: dict[str, Rule] = {
    **dict.fromkeys(
        (
            "linalg.cholesky", "linalg.cofactors", "linalg.cofactors_along", "linalg.det",
            "linalg.eig", "linalg.eigh", "linalg.inv", "linalg.matrix_rank",
            "linalg.qr", "linalg.slogdet", "linalg.svd",
        ),
        matrices,
    ),
    **dict.fromkeys(
        ("fft.fft", "fft.hfft", "fft.ifft", "fft.ihfft", "fft.irfft", "fft.rfft"), _transform
    ),
    **dict.fromkeys(
        (
            "fft.fftn", "fft.fftshift", "fft.ifftn", "fft.ifftshift", "fft.irfftn", "fft.rfftn",
        ),
        _transforms,
    ),
    "linalg.cross": _cross,
    "linalg.outer": _outer,
    "linalg.pinv_within": _pinv,
    "linalg.solve": _solve,
}  # fmt: skip
