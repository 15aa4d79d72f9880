"""Patches times a kernel: the three faces of one trilinear form, each other's derivatives.

A row of patches may hold several windows that lie side by side, so that a product has longer rows
and fewer entries are copied; `Cut` says how they lie in it.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

from portanet.functional.kernel import kernel
from portanet.functional.spatial.padding import pad
from portanet.interface import array_namespace
from portanet.tape.ops.batching import samples
from portanet.tape.ops.form import into
from portanet.tape.rule import Multilinear, Rule, conj


class Cut(NamedTuple):
    """How a row of patches is cut into windows.

    Attributes
    ----------
    windows, step : int
        The number of windows in a row, and the entries from one to the next.
    groups : int
        The channels are cut into so many groups that do not mix.
    """

    windows: int = 1
    step: int = 1
    groups: int = 1


class _ProductRule(Rule):
    """The derivative of `patch_product`, linear in the patches, the kernel and the bias."""

    arity = 3

    def vjp(self, primitive, cotangent, result, args, kwargs, argnums):
        xp, (patches, w), cut = primitive.xp, args[:2], kwargs["cut"]
        parts = (
            lambda: patch_spread(cotangent, conj(xp, w), cut=cut),
            lambda: patch_collect(conj(xp, patches), cotangent, cut=cut),
            lambda: _bias_cotangent(xp, cotangent, cut),
        )
        return [parts[i]() for i in argnums]

    def jvp(self, primitive, tangents, result, args, kwargs, argnums):
        xp, (patches, w), cut = primitive.xp, args[:2], kwargs["cut"]
        total = None
        for i, tangent in zip(argnums, tangents, strict=True):
            if i == 2:
                part = xp.broadcast_to(xp.tile(tangent, (cut.windows,)), result.shape)
            else:
                pair = (tangent, w) if i == 0 else (patches, tangent)
                part = patch_product(*pair, cut=cut)
            total = part if total is None else total + part
        return total


def _bias_cotangent(xp: Any, g: Any, cut: Cut) -> Any:
    total = xp.sum(g, axis=0)
    return xp.sum(xp.reshape(total, (cut.windows, -1)), axis=0) if cut.windows > 1 else total


def _windows(patches: Any, width: int, cut: Cut) -> list[Any]:
    """The patches of each window of a row."""
    starts = range(0, cut.windows * cut.step, cut.step)
    return [patches[:, :, start : start + width, :] for start in starts]


def _groups(xp: Any, patches: Any, groups: int) -> Any:
    """Patches of single windows as matrices: ``(groups, windows, window entries * C / groups)``."""
    rows, lines, width, channels = patches.shape
    split = xp.reshape(patches, (rows, lines * width, groups, channels // groups))
    split = xp.permute_dims(split, (2, 0, 1, 3))
    return xp.reshape(split, (groups, rows, lines * width * (channels // groups)))


def _split(xp: Any, x: Any, groups: int) -> Any:
    """Cut the last axis of a matrix: ``(groups, rows, columns / groups)``."""
    split = xp.reshape(x, (x.shape[0], groups, x.shape[1] // groups))
    return xp.permute_dims(split, (1, 0, 2))


def _matrix(xp: Any, w: Any, groups: int) -> Any:
    """A kernel as matrices: ``(groups, window entries * C / groups, out / groups)``."""
    return _split(xp, xp.reshape(w, (math.prod(w.shape[:-1]), w.shape[-1])), groups)


@kernel(rule=_ProductRule(), batching=samples(1), numpy=into, fresh=True)
def patch_product(patches: Any, w: Any, bias: Any = None, *, cut: Cut) -> Any:
    """Multiply patches by a kernel: ``(rows, windows in a row * out)``.

    Parameters
    ----------
    patches : array, shape (rows, lines of a window, entries of a line of the row, C)
    w : array, shape (lines of a window, entries of a line of it, C / groups, out)
    bias : array, shape (out,), optional
    cut : Cut
    """
    xp = array_namespace(patches, w)
    matrix, parts = _matrix(xp, w, cut.groups), []
    for part in _windows(patches, w.shape[1], cut):
        y = xp.matmul(_groups(xp, part, cut.groups), matrix)
        y = xp.reshape(xp.permute_dims(y, (1, 0, 2)), (part.shape[0], w.shape[-1]))
        parts.append(y if bias is None else y + bias)
    return xp.concat(parts, axis=-1) if len(parts) > 1 else parts[0]


def _g_from_patches(xp: Any, h: Any, g: Any, w: Any, *, cut: Cut) -> Any:
    return patch_product(h, conj(xp, w), cut=cut)


def _w_from_patches(xp: Any, h: Any, g: Any, w: Any, *, cut: Cut) -> Any:
    return patch_collect(h, conj(xp, g), cut=cut)


@kernel(
    rule=Multilinear(_g_from_patches, _w_from_patches),
    batching=samples(1),
    numpy=into,
    fresh=True,
)
def patch_spread(g: Any, w: Any, *, cut: Cut) -> Any:
    """Spread `g` over the patches: the transpose of `patch_product` with respect to them."""
    xp = array_namespace(g, w)
    lines, width, channels, out = w.shape
    matrix, total = xp.matrix_transpose(_matrix(xp, w, cut.groups)), None
    rows, wide = g.shape[0], width + (cut.windows - 1) * cut.step
    for i in range(cut.windows):
        part = xp.matmul(_split(xp, g[:, i * out : (i + 1) * out], cut.groups), matrix)
        part = xp.reshape(part, (cut.groups, rows, lines * width, channels))
        part = xp.permute_dims(part, (1, 2, 0, 3))
        part = xp.reshape(part, (rows, lines, width, cut.groups * channels))
        start = i * cut.step
        part = pad(part, ((0, 0), (0, 0), (start, wide - start - width), (0, 0)))
        total = part if total is None else total + part
    return total


def _patches_from_w(xp: Any, v: Any, patches: Any, g: Any, *, cut: Cut) -> Any:
    return patch_spread(conj(xp, g), v, cut=cut)


def _g_from_w(xp: Any, v: Any, patches: Any, g: Any, *, cut: Cut) -> Any:
    return patch_product(conj(xp, patches), v, cut=cut)


@kernel(rule=Multilinear(_patches_from_w, _g_from_w), numpy=into, fresh=True)
def patch_collect(patches: Any, g: Any, *, cut: Cut) -> Any:
    """Multiply patches by `g`: the transpose of `patch_product` with respect to the kernel."""
    xp = array_namespace(patches, g)
    lines, wide, channels = patches.shape[1:]
    width, out = wide - (cut.windows - 1) * cut.step, g.shape[-1] // cut.windows
    total = None
    for i, part in enumerate(_windows(patches, width, cut)):
        columns = _split(xp, g[:, i * out : (i + 1) * out], cut.groups)
        w = xp.matmul(xp.matrix_transpose(_groups(xp, part, cut.groups)), columns)
        w = xp.permute_dims(w, (1, 0, 2))
        w = xp.reshape(w, (lines, width, channels // cut.groups, out))
        total = w if total is None else total + w
    return total
