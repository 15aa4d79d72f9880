"""Rules of the functions that move, repeat, reshape and convert elements."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from portanet.tape.box import device_of
from portanet.tape.form import axes_of, sequence
from portanet.tape.rule import Explicit, Linear, Rule, cast, fit


def _reshape(xp: Any, g: Any, x: Any, *, axis: Any = 0) -> Any:
    return xp.reshape(g, x.shape)


def _moveaxis(xp: Any, g: Any, x: Any, source: Any, destination: Any) -> Any:
    return xp.moveaxis(g, destination, source)


def _permute_dims(xp: Any, g: Any, x: Any, axes: Any) -> Any:
    axes = [axis % x.ndim for axis in axes]
    return xp.permute_dims(g, tuple(axes.index(axis) for axis in range(x.ndim)))


def _repeat(xp: Any, g: Any, x: Any, repeats: Any, *, axis: int | None = None) -> Any:
    if axis is None or x.ndim == 0:
        return xp.reshape(_repeat(xp, g, xp.reshape(x, (-1,)), repeats, axis=0), x.shape)
    (axis,) = axes_of(axis, x.ndim)
    if getattr(repeats, "ndim", 0) == 0 and not isinstance(repeats, list | tuple):
        split = (*x.shape[: axis + 1], int(repeats), *x.shape[axis + 1 :])
        return xp.sum(xp.reshape(g, split), axis=axis + 1)
    origins = xp.repeat(xp.arange(x.shape[axis], device=device_of(x)), repeats)
    return xp.scatter_take(g, origins, axis, x.shape)


def _roll(xp: Any, g: Any, x: Any, shift: Any, *, axis: Any = None) -> Any:
    back = tuple(-s for s in shift) if isinstance(shift, tuple | list) else -shift
    return xp.roll(g, back, axis=axis)


def _tile(xp: Any, g: Any, x: Any, repetitions: Any) -> Any:
    repetitions = sequence(repetitions)
    rank = max(x.ndim, len(repetitions))
    counts = (1,) * (rank - len(repetitions)) + tuple(repetitions)
    sizes = (1,) * (rank - x.ndim) + x.shape
    split = tuple(n for pair in zip(counts, sizes, strict=True) for n in pair)
    return xp.reshape(xp.sum(xp.reshape(g, split), axis=tuple(range(0, 2 * rank, 2))), x.shape)


RULES: dict[str, Rule] = {
    "broadcast_to": Linear(lambda xp, g, x, shape: fit(xp, g, x), arity=None),
    "expand_dims": Linear(_reshape, arity=None),
    "flip": Linear(lambda xp, g, x, *, axis=None: xp.flip(g, axis=axis)),
    "matrix_transpose": Linear(lambda xp, g, x: xp.matrix_transpose(g)),
    "moveaxis": Linear(_moveaxis, arity=None),
    "permute_dims": Linear(_permute_dims, arity=None),
    "reshape": Explicit(
        lambda xp, g, y, x, shape, *, copy=None: xp.reshape(g, x.shape),
        lambda xp, t, y, x, shape, *, copy=None: xp.reshape(t, y.shape),
        arity=None,
    ),
    "repeat": Linear(_repeat, arity=None),
    "roll": Linear(_roll, arity=None),
    "squeeze": Linear(_reshape, arity=None),
    "tile": Linear(_tile, arity=None),
    "tril": Linear(lambda xp, g, x, *, k=0: fit(xp, xp.tril(g, k=k), x)),
    "triu": Linear(lambda xp, g, x, *, k=0: fit(xp, xp.triu(g, k=k), x)),
}


def _convert(xp: Any, x: Any, dtype: Any, /, *, copy: bool = True, device: Any = None) -> Any:
    if device is not None:
        x = x.to_device(device)
    dtype = _resolved(xp, dtype)
    if x.dtype == dtype and not copy:
        return x
    if xp.isdtype(dtype, ("real floating", "complex floating")):
        return xp.convert(x, dtype)
    return xp.constants.astype(x, dtype, copy=copy)


def _resolved(xp: Any, dtype: Any) -> Any:
    """Return the dtype that the library makes of what it was given for one, such as ``float``."""
    found = xp.dtypes.get(dtype)
    if found is None:
        found = xp.dtypes[dtype] = xp.raw.empty(0, dtype=dtype).dtype
    return found


def _unstack(xp: Any, x: Any, /, *, axis: int = 0) -> tuple[Any, ...]:
    x = xp.moveaxis(x, axis, 0)
    return tuple(x[i, ...] for i in range(x.shape[0]))


COMPOSITES: dict[str, Callable[..., Any]] = {
    "astype": _convert,
    "unstack": _unstack,
}

EXTENSIONS: dict[str, tuple[Rule, Callable[..., Any]]] = {
    "convert": (
        Linear(lambda xp, g, x, dtype: cast(xp, g, x.dtype), arity=None),
        lambda raw, x, dtype: raw.astype(x, dtype),
    ),
}
