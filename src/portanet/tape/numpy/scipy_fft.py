"""The cosine and sine transforms of ``scipy.fft``, which are all linear.

Without scaling the transforms of type I and IV are symmetric matrices, those of type II and III
each other's transposes, but for the weights of the first and the last element. What a
normalisation changes are factors before and behind.
"""

from __future__ import annotations

import importlib
import math
from collections.abc import Callable
from typing import Any

import numpy as np

from portanet.errors import ArgumentError
from portanet.tape.box import taken_out
from portanet.tape.numpy.operands import array, floating, one_axis
from portanet.tape.ops.batching import natural
from portanet.tape.ops.card import Card
from portanet.tape.rule import Linear

_SWAPPED = {1: 1, 2: 3, 3: 2, 4: 4}
_OPPOSITE = {"backward": "forward", "forward": "backward", "ortho": "ortho"}
# Which ends of the result of the transposed transform stand twice or half in it.
_ENDS = {
    ("dct", 2): ((0, 2.0), ()),
    ("dct", 3): ((), (0, 0.5)),
    ("dst", 2): ((-1, 2.0), ()),
    ("dst", 3): ((), (-1, 0.5)),
}


def _weighted(xp: Any, x: Any, *weights: tuple[int, float]) -> Any:
    """Multiply single elements along the last axis."""
    if not weights or not x.shape[-1]:
        return x
    factors = np.ones(x.shape[-1], x.real.dtype)
    for place, weight in weights:
        factors[place] *= weight
    return x * factors


def _transpose(xp: Any, g: Any, x: Any, *, kind: str, of_type: int) -> Any:
    if (kind, of_type) == ("dct", 1):
        both = (0, 0.5), (-1, 0.5)
        inner = _plain(xp, _weighted(xp, g, (0, 2.0), (-1, 2.0)), kind, of_type)
        return _weighted(xp, inner, *both)
    before, behind = _ENDS.get((kind, of_type), ((), ()))
    g = _weighted(xp, g, before) if before else g
    g = _plain(xp, g, kind, _SWAPPED[of_type])
    return _weighted(xp, g, behind) if behind else g


_CARD = Card("scipy.fft.dct", Linear(_transpose), natural, fresh=True)


def _compute(x: Any, *, kind: str, of_type: int) -> Any:
    return getattr(importlib.import_module("scipy.fft"), kind)(x, of_type, orthogonalize=False)


def _plain(xp: Any, x: Any, kind: str, of_type: int) -> Any:
    """Return the transform along the last axis, without scaling."""
    made = xp.__dict__.get("scipys_transform")
    if made is None:
        made = xp.__dict__.setdefault("scipys_transform", xp.primitive(_CARD, _compute))
    return made(x, kind=kind, of_type=of_type)


def _along_last(xp: Any, x: Any, kind: str, of_type: int, norm: str, orthogonalize: bool) -> Any:
    end = 0 if kind == "dct" else -1
    period = 2 * (x.shape[-1] + {("dct", 1): -1, ("dst", 1): 1}.get((kind, of_type), 0))
    root = math.sqrt(2)
    both_ends = orthogonalize and (kind, of_type) == ("dct", 1)
    if both_ends:
        x = _weighted(xp, x, (0, root), (-1, root))
    elif orthogonalize and of_type == 3:
        x = _weighted(xp, x, (end, root))
    y = _plain(xp, x, kind, of_type)
    if both_ends:
        y = _weighted(xp, y, (0, 1 / root), (-1, 1 / root))
    elif orthogonalize and of_type == 2:
        y = _weighted(xp, y, (end, 1 / root))
    scale = {"backward": 1.0, "ortho": 1 / math.sqrt(period), "forward": 1 / period}[norm]
    return y if scale == 1.0 else y * scale


def _resized(xp: Any, x: Any, n: int | None) -> Any:
    """Cut the last axis, or fill it with zeros, to `n`."""
    if n is None or n == x.shape[-1]:
        return x
    if n < x.shape[-1]:
        return x[..., :n]
    missing = np.zeros((*x.shape[:-1], n - x.shape[-1]), x.dtype)
    return xp.concat([x, missing], axis=-1)


def _one(name: str, kind: str, inverse: bool) -> Callable[..., Any]:
    def body(
        xp: Any, x: Any, type: int = 2, n: int | None = None, axis: int = -1,
        norm: str | None = None, overwrite_x: bool = False, workers: int | None = None,
        orthogonalize: bool | None = None,
    ) -> Any:  # fmt: skip
        norm = norm or "backward"
        if type not in _SWAPPED or norm not in _OPPOSITE:
            raise ArgumentError(
                f"scipy.fft.{name}: type is 1, 2, 3 or 4, and norm is backward, ortho or forward: "
                f"got {type!r}, {norm!r}"
            )
        if orthogonalize is None:
            orthogonalize = norm == "ortho"
        if inverse:
            type, norm = _SWAPPED[type], _OPPOSITE[norm]
        x = floating(xp, array(xp, taken_out(x)))
        axis = one_axis(f"scipy.fft.{name}", axis, x.ndim)
        x = _resized(xp, xp.moveaxis(x, axis, -1), n)
        y = _along_last(xp, x, kind, type, norm, orthogonalize)
        return xp.moveaxis(y, -1, axis)

    return body


def _several(name: str, one: Callable[..., Any]) -> Callable[..., Any]:
    def body(
        xp: Any, x: Any, type: int = 2, s: Any = None, axes: Any = None, norm: str | None = None,
        overwrite_x: bool = False, workers: int | None = None, *,
        orthogonalize: bool | None = None,
    ) -> Any:  # fmt: skip
        x = array(xp, x)
        sizes = None if s is None else (s,) if isinstance(s, int) else tuple(s)
        if axes is None:
            count = x.ndim if sizes is None else len(sizes)
            if count > x.ndim:
                raise ArgumentError(f"scipy.fft.{name}: len(s) <= x.ndim: {count} > {x.ndim}")
            axes = range(x.ndim - count, x.ndim)
        axes = (axes,) if isinstance(axes, int) else tuple(axes)
        sizes = sizes or (None,) * len(axes)
        if len(sizes) != len(axes):
            raise ArgumentError(f"scipy.fft.{name}: len(s) == len(axes): got {sizes}, {axes}")
        for axis, n in zip(axes, sizes, strict=True):
            x = one(xp, x, type, n, axis, norm, orthogonalize=orthogonalize)
        return x

    return body


FUNCTIONS: dict[str, Callable[..., Any]] = {}
for _kind in ("dct", "dst"):
    for _name, _inverse in ((_kind, False), (f"i{_kind}", True)):
        FUNCTIONS[_name] = _one(_name, _kind, _inverse)
        FUNCTIONS[f"{_name}n"] = _several(f"{_name}n", FUNCTIONS[_name])
