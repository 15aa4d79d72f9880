"""Shapes and the order of elements: reshaping, moving axes, repeating, diagonals."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import numpy as np

from portanet.errors import ArgumentError, ShapeError
from portanet.tape.box import Box
from portanet.tape.numpy.operands import along, array, arrays, axes, flat, one_axis


def reshape(xp: Any, a: Any, /, shape: Any, order: str = "C", *, copy: Any = None) -> Any:
    shape = (operator.index(shape),) if not isinstance(shape, tuple | list) else tuple(shape)
    if order == "F":
        return _reversed(xp, xp.reshape(_reversed(xp, a), shape[::-1]))
    return xp.reshape(a, shape) if copy is None else xp.reshape(a, shape, copy=copy)


def _reversed(xp: Any, a: Any) -> Any:
    return xp.permute_dims(a, tuple(range(a.ndim))[::-1])


def ravel(xp: Any, a: Any, order: str = "C") -> Any:
    return xp.reshape(_reversed(xp, a) if order == "F" else a, (-1,))


def transpose(xp: Any, a: Any, axes: Any = None) -> Any:
    rank = a.ndim
    return xp.permute_dims(a, tuple(range(rank))[::-1] if axes is None else tuple(axes))


def swapaxes(xp: Any, a: Any, axis1: Any, axis2: Any) -> Any:
    order = list(range(a.ndim))
    first, second = (one_axis("swapaxes", axis, a.ndim) for axis in (axis1, axis2))
    order[first], order[second] = second, first
    return xp.permute_dims(a, tuple(order))


def moveaxis(xp: Any, a: Any, source: Any, destination: Any) -> Any:
    return xp.moveaxis(a, axes(source), axes(destination))


def expand_dims(xp: Any, a: Any, axis: Any) -> Any:
    return xp.expand_dims(a, axis=axes(axis))


def squeeze(xp: Any, a: Any, axis: Any = None) -> Any:
    if axis is None:
        axis = tuple(i for i, n in enumerate(a.shape) if n == 1)
    return xp.squeeze(a, axis=axes(axis))


def broadcast_to(xp: Any, array: Any, shape: Any, subok: bool = False) -> Any:
    return xp.broadcast_to(array, tuple(shape) if isinstance(shape, tuple | list) else (shape,))


def broadcast_arrays(xp: Any, *args: Any, subok: bool = False) -> Any:
    return tuple(xp.broadcast_arrays(*arrays(xp, args)))


def meshgrid(
    xp: Any, *xi: Any, copy: bool = True, sparse: bool = False, indexing: str = "xy"
) -> Any:
    if indexing not in ("xy", "ij"):
        raise ArgumentError(f"numpy.meshgrid: indexing is 'xy' or 'ij': got {indexing!r}")
    xi = tuple(flat(xp, x) for x in xi)
    if not sparse:
        return tuple(xp.meshgrid(*xi, indexing=indexing))
    places = list(range(len(xi)))
    if indexing == "xy" and len(xi) > 1:
        places[:2] = 1, 0
    shapes = [tuple(-1 if i == place else 1 for i in range(len(xi))) for place in places]
    return tuple(xp.reshape(x, shape) for x, shape in zip(xi, shapes, strict=True))


def flip(xp: Any, m: Any, axis: Any = None) -> Any:
    return xp.flip(m, axis=axes(axis))


def _flipped(axis: int, rank: int) -> Callable[..., Any]:
    def body(xp: Any, m: Any) -> Any:
        if m.ndim < rank:
            raise ShapeError(f"m.ndim >= {rank} does not hold: m.ndim = {m.ndim}")
        return xp.flip(m, axis=axis)

    return body


def rot90(xp: Any, m: Any, k: int = 1, axes: Any = (0, 1)) -> Any:
    first, second = (one_axis("rot90", axis, m.ndim) for axis in axes)
    if first == second:
        raise ShapeError(f"rot90 needs two axes: got {tuple(axes)} of {m.ndim}")
    k %= 4
    if k == 2:
        return xp.flip(m, axis=(first, second))
    if k == 1:
        return swapaxes(xp, xp.flip(m, axis=second), first, second)
    return xp.flip(swapaxes(xp, m, first, second), axis=second) if k else m


def rollaxis(xp: Any, a: Any, axis: Any, start: int = 0) -> Any:
    source = one_axis("rollaxis", axis, a.ndim)
    goal = start + a.ndim if start < 0 else start
    if not 0 <= goal <= a.ndim:
        raise ShapeError(f"rollaxis: -{a.ndim} <= start <= {a.ndim} does not hold: {start}")
    return xp.moveaxis(a, source, goal - (source < goal))


def roll(xp: Any, a: Any, shift: Any, axis: Any = None) -> Any:
    axis = axes(axis)
    shifts = axes(shift) if np.ndim(shift) == 0 else tuple(map(operator.index, shift))
    if axis is None and isinstance(shifts, tuple):
        shifts = sum(shifts)
    if isinstance(axis, tuple) and isinstance(shifts, int):
        shifts = (shifts,) * len(axis)
    if isinstance(shifts, tuple) and isinstance(axis, int):
        axis = (axis,) * len(shifts)
    return xp.roll(a, shifts, axis=axis)


def repeat(xp: Any, a: Any, repeats: Any, axis: Any = None) -> Any:
    a, axis = along(xp, a, axis)
    if np.ndim(repeats) == 0 and not isinstance(repeats, Box):
        repeats = operator.index(repeats)
    else:
        repeats = array(xp, repeats)
        if repeats.shape == (1,) and a.shape[axis] != 1:
            repeats = xp.constants.broadcast_to(repeats, (a.shape[axis],))
    return xp.repeat(a, repeats, axis=axis)


def tile(xp: Any, A: Any, reps: Any) -> Any:
    return xp.tile(A, (operator.index(reps),) if np.ndim(reps) == 0 else tuple(map(int, reps)))


def _triangle(name: str) -> Callable[..., Any]:
    def body(xp: Any, m: Any, k: int = 0) -> Any:
        if m.ndim == 1:
            m = xp.broadcast_to(m, (m.shape[0], m.shape[0]))
        return getattr(xp, name)(m, k=operator.index(k))

    return body


def diagonal(xp: Any, a: Any, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Any:
    moved = xp.moveaxis(a, (axis1, axis2), (-2, -1))
    return xp.linalg.diagonal(moved, offset=operator.index(offset))


def diag(xp: Any, v: Any, k: int = 0) -> Any:
    if v.ndim == 2:
        return diagonal(xp, v, k)
    if v.ndim != 1:
        raise ShapeError(f"numpy.diag: v.ndim is 1 or 2: got {v.ndim}")
    n, k = v.shape[0], operator.index(k)
    size = n + abs(k)
    rows, columns = np.arange(n) + max(-k, 0), np.arange(n) + max(k, 0)
    return xp.scatter_getitem(v, (rows, columns), (size, size))


def diagflat(xp: Any, v: Any, k: int = 0) -> Any:
    return diag(xp, flat(xp, v), k)


def unstack(xp: Any, x: Any, /, *, axis: int = 0) -> Any:
    return xp.unstack(x, axis=axes(axis))


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "broadcast_arrays": broadcast_arrays,
    "broadcast_to": broadcast_to,
    "diag": diag,
    "diagflat": diagflat,
    "diagonal": diagonal,
    "expand_dims": expand_dims,
    "flip": flip,
    "fliplr": _flipped(1, 2),
    "flipud": _flipped(0, 1),
    "matrix_transpose": lambda xp, x, /: xp.matrix_transpose(x),
    "meshgrid": meshgrid,
    "moveaxis": moveaxis,
    "ravel": ravel,
    "repeat": repeat,
    "reshape": reshape,
    "roll": roll,
    "rollaxis": rollaxis,
    "rot90": rot90,
    "squeeze": squeeze,
    "swapaxes": swapaxes,
    "tile": tile,
    "transpose": transpose,
    "tril": _triangle("tril"),
    "triu": _triangle("triu"),
    "unstack": unstack,
}
