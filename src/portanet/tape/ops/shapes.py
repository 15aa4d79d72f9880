"""Cards of the functions that show the elements of an array in another shape or order of axes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from portanet.errors import ShapeError
from portanet.tape.ops.batching import behind, lift, of_first
from portanet.tape.ops.card import Card, Role
from portanet.tape.ops.form import Form
from portanet.tape.rule import Explicit, Linear, fit
from portanet.tape.signature import sequence


def _reshaped(xp: Any, g: Any, x: Any, *, axis: Any = 0) -> Any:
    return xp.reshape(g, x.shape)


def _moveaxis(xp: Any, g: Any, x: Any, source: Any, destination: Any) -> Any:
    return xp.moveaxis(g, destination, source)


def _permute_dims(xp: Any, g: Any, x: Any, axes: Any) -> Any:
    axes = [axis % x.ndim for axis in axes]
    return xp.permute_dims(g, tuple(axes.index(axis) for axis in range(x.ndim)))


def _broadcast_to_batch(primitive: Any, x: Any, rank: int, shape: Sequence[int]) -> Any:
    shape = sequence(shape)
    return primitive(lift(primitive.xp, x, len(shape)), (x.shape[0], *shape))


def _expand_dims_batch(primitive: Any, x: Any, rank: int, axis: Any = 0) -> Any:
    return primitive(x, axis=behind("expand_dims", axis, rank + len(sequence(axis))))


def _moveaxis_batch(primitive: Any, x: Any, rank: int, source: Any, destination: Any) -> Any:
    source, destination = (
        behind("moveaxis", sequence(axes), rank) for axes in (source, destination)
    )
    return primitive(x, source, destination)


def _permute_dims_batch(primitive: Any, x: Any, rank: int, axes: Sequence[int]) -> Any:
    if len(axes) != rank:
        raise ShapeError(f"permute_dims: len(axes) == x.ndim: {len(axes)} != {rank}")
    return primitive(x, (0, *behind("permute_dims", axes, rank)))


def _reshape_batch(primitive: Any, x: Any, rank: int, shape: Any, **options: Any) -> Any:
    shape = sequence(shape)
    if shape.count(-1) == 1:
        known = math.prod(n for n in shape if n != -1)
        size = math.prod(x.shape[1:])
        if known and size % known == 0:
            shape = tuple(size // known if n == -1 else n for n in shape)
    return primitive(x, (x.shape[0], *shape), **options)


def _squeeze_batch(primitive: Any, x: Any, rank: int, axis: Any = None) -> Any:
    if axis is None:
        axis = tuple(i for i, n in enumerate(x.shape[1:]) if n == 1)
    return primitive(x, axis=behind("squeeze", axis, rank))


def of_matrices(primitive: Any, x: Any, rank: int, **options: Any) -> Any:
    """Run a function of matrices, to which the batch axis must not look like one of theirs."""
    if rank < 2:
        raise ShapeError(f"{primitive.name} needs matrices: x.ndim >= 2: {rank} < 2")
    return primitive(x, **options)


def _shown(call: Any, x: Any, *args: Any, **options: Any) -> Form:
    return Form(view=f"{{0}}.reshape({call.result.shape!r})")


def _reshape_form(call: Any, x: Any, shape: Any, *, copy: Any = None) -> Form | None:
    return _shown(call, x) if copy is None else None


def _permute_dims_form(call: Any, x: Any, axes: Any) -> Form:
    return Form(view=f"{{0}}.transpose({tuple(axes)!r})")


def _moveaxis_form(call: Any, x: Any, source: Any, destination: Any) -> Form:
    order = np.moveaxis(np.empty(range(len(x.shape))), source, destination).shape
    return Form(view=f"{{0}}.transpose({order!r})")


def _broadcast_to_form(call: Any, x: Any, shape: Any) -> Form:
    return Form("{out}[...] = {0}", view=f"{{np.broadcast_to}}({{0}}, {call.result.shape!r})")


CARDS = [
    Card(
        "broadcast_to", Linear(lambda xp, g, x, shape: fit(xp, g, x), arity=None),
        of_first(_broadcast_to_batch), numpy=_broadcast_to_form, view=True, identity=True,
    ),
    Card(
        "expand_dims", Linear(_reshaped, arity=None), of_first(_expand_dims_batch),
        numpy=_shown, view=True, rearranged=True, identity=True,
    ),
    Card(
        "matrix_transpose", Linear(lambda xp, g, x: xp.matrix_transpose(g)),
        of_first(of_matrices), numpy=lambda call, x: Form(view="{0}.mT"),
        view=True, rearranged=True, role=Role.TRANSPOSE,
    ),
    Card(
        "moveaxis", Linear(_moveaxis, arity=None), of_first(_moveaxis_batch),
        numpy=_moveaxis_form, view=True, rearranged=True,
    ),
    Card(
        "permute_dims", Linear(_permute_dims, arity=None), of_first(_permute_dims_batch),
        numpy=_permute_dims_form, view=True, rearranged=True, role=Role.TRANSPOSE,
    ),
    Card(
        "reshape",
        Explicit(
            lambda xp, g, y, x, shape, *, copy=None: xp.reshape(g, x.shape),
            lambda xp, t, y, x, shape, *, copy=None: xp.reshape(t, y.shape),
            arity=None,
        ),
        of_first(_reshape_batch), numpy=_reshape_form, view=True, rearranged=True, identity=True,
    ),
    Card(
        "squeeze", Linear(_reshaped, arity=None), of_first(_squeeze_batch),
        numpy=_shown, view=True, rearranged=True, identity=True,
    ),
]  # fmt: skip
