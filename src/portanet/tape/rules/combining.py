"""Rules of the functions that put several arrays together or spread them over each other."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from portanet.errors import ArgumentError
from portanet.tape.box import Box, at_hand, device_of
from portanet.tape.form import axes_of, sequence
from portanet.tape.rule import Rule, cast, is_complex


class _Joined(Rule):
    """A function of many arrays, linear in all of them together: ``concat`` and ``stack``.

    Parameters
    ----------
    part : callable
        ``part(xp, g, arrays, i, axis)`` cuts the cotangent of the i-th array out of `g`.
    """

    def __init__(self, part: Callable[..., Any]) -> None:
        self.part = part

    def vjp(self, primitive, cotangent, result, args, kwargs, argnums):
        xp = primitive.xp
        return [
            cast(xp, self.part(xp, cotangent, args, i, kwargs["axis"]), args[i].dtype)
            for i in argnums
        ]

    def jvp(self, primitive, tangents, result, args, kwargs, argnums):
        xp = primitive.xp
        given = dict(zip(argnums, tangents, strict=True))
        parts = [given[i] if i in given else xp.zeros_like(x) for i, x in enumerate(args)]
        return primitive(*parts, **kwargs)


def _concat_part(xp: Any, g: Any, arrays: Sequence[Any], i: int, axis: Any) -> Any:
    if axis is None:
        start = sum(math.prod(x.shape) for x in arrays[:i])
        return xp.reshape(g[start : start + math.prod(arrays[i].shape)], arrays[i].shape)
    (axis,) = axes_of(axis, g.ndim)
    start = sum(x.shape[axis] for x in arrays[:i])
    window = slice(start, start + arrays[i].shape[axis])
    return g[(*(slice(None),) * axis, window, ...)]


def _stack_part(xp: Any, g: Any, arrays: Sequence[Any], i: int, axis: int) -> Any:
    return g[(*(slice(None),) * axes_of(axis, g.ndim)[0], i, ...)]


EXTENSIONS: dict[str, tuple[Rule, Callable[..., Any]]] = {
    "concat_arrays": (
        _Joined(_concat_part),
        lambda raw, *arrays, axis: raw.concat(arrays, axis=axis),
    ),
    "stack_arrays": (
        _Joined(_stack_part),
        lambda raw, *arrays, axis: raw.stack(arrays, axis=axis),
    ),
}


def _concat(xp: Any, arrays: Sequence[Any], /, *, axis: int | None = 0) -> Any:
    return xp.concat_arrays(*map(xp.operands.array, arrays), axis=axis)


def _stack(xp: Any, arrays: Sequence[Any], /, *, axis: int = 0) -> Any:
    return xp.stack_arrays(*map(xp.operands.array, arrays), axis=axis)


def _broadcast_shapes(*shapes: tuple[int, ...]) -> tuple[int, ...]:
    rank = max(map(len, shapes))
    padded = [(1,) * (rank - len(shape)) + shape for shape in shapes]
    return tuple(next((n for n in column if n != 1), 1) for column in zip(*padded, strict=True))


def _broadcast_arrays(xp: Any, *arrays: Any) -> Any:
    arrays = tuple(map(xp.operands.array, arrays))
    shape = _broadcast_shapes(*(x.shape for x in arrays))
    return type(xp.raw.broadcast_arrays(at_hand(arrays[0])))(
        xp.broadcast_to(x, shape) for x in arrays
    )


def _meshgrid(xp: Any, *arrays: Any, indexing: str = "xy") -> Any:
    arrays = tuple(map(xp.operands.array, arrays))
    firsts = (x[: min(1, x.shape[0])] if x.ndim == 1 else x for x in map(at_hand, arrays))
    kind = type(xp.raw.meshgrid(*firsts, indexing=indexing))  # which refuses what it does not take
    rank = len(arrays)
    axes = list(range(rank))
    if indexing == "xy" and rank > 1:
        axes[:2] = [1, 0]
    sizes = [1] * rank
    for axis, x in zip(axes, arrays, strict=True):
        sizes[axis] = math.prod(x.shape)
    return kind(
        xp.broadcast_to(
            xp.reshape(x, tuple(sizes[axis] if i == axis else 1 for i in range(rank))), tuple(sizes)
        )
        for axis, x in zip(axes, arrays, strict=True)
    )


def _asarray(
    xp: Any, obj: Any, /, *, dtype: Any = None, device: Any = None, copy: bool | None = None
) -> Any:
    if not isinstance(obj, Box):
        if copy is False:
            raise ArgumentError("asarray: copy=False, but a list of arrays needs a copy")
        obj = _joined(xp, obj, _first_box(obj))
    if device is not None:
        obj = obj.to_device(device)
    if copy is False:
        like = xp.raw.empty(1, dtype=obj.dtype)
        xp.raw.asarray(like, dtype=dtype, copy=False)  # which refuses where one is needed
    if dtype is None and not copy:
        return obj
    return xp.astype(obj, obj.dtype if dtype is None else dtype, copy=bool(copy))


def _first_box(obj: Any) -> Any:
    if isinstance(obj, list | tuple):
        return next((x for x in map(_first_box, obj) if x is not None), None)
    return obj if isinstance(obj, Box) else None


def _joined(xp: Any, obj: Any, like: Any) -> Any:
    """Stack a nested list of arrays and numbers; numbers take the dtype of `like`."""
    if isinstance(obj, list | tuple):
        return xp.stack([_joined(xp, x, like) for x in obj])
    if hasattr(obj, "shape"):
        return obj
    complex_number = isinstance(obj, complex) and not is_complex(xp, like.dtype)
    dtype = xp.result_type(like.dtype, obj) if complex_number else like.dtype
    return xp.asarray(obj, dtype=dtype, device=device_of(like))


def _full(xp: Any, shape: Any, fill_value: Any, *, dtype: Any = None, device: Any = None) -> Any:
    fill_value = xp.asarray(fill_value, dtype=dtype, device=device)
    return _filled(xp, fill_value, sequence(shape))


def _filled(xp: Any, x: Any, shape: tuple[int, ...]) -> Any:
    """Spread `x` over an array of `shape`, which may lack its leading axes of size 1."""
    surplus = max(x.ndim - len(shape), 0)
    if surplus and set(x.shape[:surplus]) == {1}:
        x = xp.reshape(x, x.shape[surplus:])
    return xp.broadcast_to(x, shape)


def _full_like(
    xp: Any, x: Any, /, fill_value: Any, *, dtype: Any = None, device: Any = None
) -> Any:
    dtype = x.dtype if dtype is None else dtype
    if isinstance(fill_value, Box):
        return _filled(xp, xp.astype(fill_value, dtype), x.shape)
    device = device_of(x) if device is None else device
    return xp.full(x.shape, fill_value, dtype=dtype, device=device)


def _no_points(xp: Any, start: Any, stop: Any, dtype: Any, device: Any, endpoint: bool) -> Any:
    """Return no points between two ends, with the shape and dtype that the library gives them."""
    traced = start if isinstance(start, Box) else stop
    ends: tuple[Any, Any] = at_hand(start), at_hand(stop)
    if not xp.operands.takes_lists:  # it takes numbers only, of which a traced one has a dtype
        ends, dtype = (0.0, 1.0), traced.dtype if dtype is None else dtype
    device = device_of(traced) if device is None else device
    return xp.raw.linspace(*ends, 0, dtype=dtype, device=device, endpoint=endpoint)


def _linspace(
    xp: Any, start: Any, stop: Any, /, num: int, *, dtype: Any = None, device: Any = None,
    endpoint: bool = True,
) -> Any:  # fmt: skip
    none = _no_points(xp, start, stop, dtype, device, endpoint)
    real = none.dtype if xp.isdtype(none.dtype, "real floating") else None
    if is_complex(xp, none.dtype):
        real = xp.raw.real(none).dtype
    steps = xp.linspace(0.0, 1.0, num, dtype=real, device=device_of(none), endpoint=endpoint)
    steps = xp.reshape(steps, (-1, *(1,) * (none.ndim - 1)))
    points = start * (1 - steps) + stop * steps
    if xp.isdtype(none.dtype, "integral"):
        points = xp.floor(points)
    return xp.astype(points, none.dtype, copy=False)


COMPOSITES: dict[str, Callable[..., Any]] = {
    "asarray": _asarray,
    "broadcast_arrays": _broadcast_arrays,
    "concat": _concat,
    "full": _full,
    "full_like": _full_like,
    "linspace": _linspace,
    "meshgrid": _meshgrid,
    "stack": _stack,
}
