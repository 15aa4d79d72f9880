"""Sliding windows: general n-dimensional convolution, its transposes, and pooling.

Everything is channels last: ``(N, *spatial, C)``. Convolution, its transpose with respect to the
input and that with respect to the kernel are the three faces of one trilinear form, so each has
the other two as its derivatives, to any order.
"""

from __future__ import annotations

import functools
import itertools
import math
import operator
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from array_api_compat import device

from portanet.backends import array_namespace
from portanet.errors import HyperparameterError, ShapeError
from portanet.functional._kernel import kernel
from portanet.functional.pad import pad
from portanet.tape.rule import Multilinear, conj

__all__ = ["conv", "conv_transpose", "max_pool", "mean_pool"]

Sizes = int | Sequence[int]
Padding = int | Sequence[int] | Sequence[tuple[int, int]] | str


@dataclass(frozen=True)
class Geometry:
    """Where the windows of an input lie.

    Attributes
    ----------
    spatial, window : tuple of int
        The sizes of the input and of a window.
    stride, dilation : tuple of int
        The steps between windows, and between the entries of one.
    padding : tuple of pairs of int
        Entries put before and after each axis of the input.
    groups : int
        The channels are cut into so many groups that do not mix.
    """

    spatial: tuple[int, ...]
    window: tuple[int, ...]
    stride: tuple[int, ...]
    dilation: tuple[int, ...]
    padding: tuple[tuple[int, int], ...]
    groups: int = 1

    @property
    def padded(self) -> tuple[int, ...]:
        return tuple(n + sum(p) for n, p in zip(self.spatial, self.padding, strict=True))

    @property
    def extent(self) -> tuple[int, ...]:
        return tuple(d * (k - 1) + 1 for d, k in zip(self.dilation, self.window, strict=True))

    @property
    def output(self) -> tuple[int, ...]:
        """The number of windows along each axis."""
        triples = zip(self.padded, self.extent, self.stride, strict=True)
        return tuple((n - e) // s + 1 for n, e, s in triples)

    def offsets(self) -> Iterator[tuple[slice, ...]]:
        """Yield for each entry of a window the slices of the padded input that it reads."""
        for place in itertools.product(*map(range, self.window)):
            parts = zip(place, self.dilation, self.stride, self.output, strict=True)
            yield tuple(slice(i * d, i * d + s * (n - 1) + 1, s) for i, d, s, n in parts)


def geometry(
    spatial: Sequence[int],
    window: Sizes,
    stride: Sizes | None,
    padding: Padding,
    dilation: Sizes,
    groups: int = 1,
) -> Geometry:
    """Check the options of a window and give every axis its own."""
    rank = len(spatial)
    window = _each("window", window, rank)
    dilation = _each("dilation", dilation, rank)
    steps = window if stride is None else _each("stride", stride, rank)
    extent = tuple(d * (k - 1) + 1 for d, k in zip(dilation, window, strict=True))
    if padding == "valid":
        pairs = ((0, 0),) * rank
    elif padding == "same":
        wanted = [
            max((-(-n // s) - 1) * s + e - n, 0)
            for n, s, e in zip(spatial, steps, extent, strict=True)
        ]
        pairs = tuple((n // 2, n - n // 2) for n in wanted)
    elif isinstance(padding, str):
        raise HyperparameterError(f"padding in ('valid', 'same') or numbers: {padding!r}")
    else:
        pairs = _pairs(padding, rank)
    if isinstance(groups, bool) or not isinstance(groups, int) or groups < 1:
        raise HyperparameterError(f"groups >= 1: {groups!r}")
    made = Geometry(tuple(spatial), window, steps, dilation, pairs, groups)
    for axis, (n, e) in enumerate(zip(made.padded, extent, strict=True)):
        if n < e:
            raise ShapeError(
                f"padded x.shape[{axis + 1}] >= the window's extent: {n} < {e}; pad more, or use "
                "a smaller window"
            )
    return made


def _each(name: str, value: Sizes, rank: int) -> tuple[int, ...]:
    values = (value,) * rank if isinstance(value, int) else tuple(value)
    if len(values) != rank:
        raise HyperparameterError(f"len({name}) == spatial axes of x: {len(values)} != {rank}")
    if any(isinstance(n, bool) or not isinstance(n, int) or n < 1 for n in values):
        raise HyperparameterError(f"{name} >= 1: {value!r}")
    return values


def _pairs(padding: Any, rank: int) -> tuple[tuple[int, int], ...]:
    """One number is for every end, one an axis for both its ends, a pair an axis for each."""
    values = (padding,) * rank if isinstance(padding, int) else tuple(padding)
    pairs = tuple((p, p) if isinstance(p, int) else tuple(p) for p in values)
    if len(pairs) != rank or any(len(pair) != 2 for pair in pairs):
        raise HyperparameterError(f"padding: a number or pair for each of {rank} axes: {padding!r}")
    if any(n < 0 for pair in pairs for n in pair):
        raise HyperparameterError(f"padding >= 0: {padding!r}")
    return pairs


def _padded(x: Any, shape: Geometry, value: float = 0.0) -> Any:
    return pad(x, ((0, 0), *shape.padding, (0, 0)), "constant", value)


def _patches(xp: Any, x: Any, shape: Geometry) -> Any:
    """The entries under each window: ``(N, *output, groups, window entries * C / groups)``."""
    x = _padded(x, shape)
    parts = [x[(slice(None), *place, slice(None))] for place in shape.offsets()]
    lead = (x.shape[0], *shape.output, 1, shape.groups, x.shape[-1] // shape.groups)
    stacked = xp.concat([xp.reshape(part, lead) for part in parts], axis=-3)
    rank = stacked.ndim
    stacked = xp.permute_dims(stacked, (*range(rank - 3), rank - 2, rank - 3, rank - 1))
    return xp.reshape(stacked, (*stacked.shape[:-2], stacked.shape[-2] * stacked.shape[-1]))


def _matrix(xp: Any, w: Any, groups: int) -> Any:
    """A kernel as matrices: ``(groups, window entries * C / groups, out / groups)``."""
    w = xp.reshape(w, (math.prod(w.shape[:-1]), groups, w.shape[-1] // groups))
    return xp.permute_dims(w, (1, 0, 2))


def _transposed_input(xp: Any, g: Any, x: Any, w: Any, *, shape: Geometry) -> Any:
    return input_transpose(g, conj(xp, w), shape=shape)


def _transposed_kernel(xp: Any, g: Any, x: Any, w: Any, *, shape: Geometry) -> Any:
    return kernel_transpose(conj(xp, x), g, shape=shape)


@kernel(rule=Multilinear(_transposed_input, _transposed_kernel))
def convolution(x: Any, w: Any, *, shape: Geometry) -> Any:
    """Correlate the windows of `x` with `w`: one product of matrices a group."""
    xp = array_namespace(x, w)
    patches = _patches(xp, x, shape)
    lead = patches.shape[:-2]
    rows = xp.reshape(patches, (math.prod(lead), *patches.shape[-2:]))
    y = xp.matmul(xp.permute_dims(rows, (1, 0, 2)), _matrix(xp, w, shape.groups))
    return xp.reshape(xp.permute_dims(y, (1, 0, 2)), (*lead, w.shape[-1]))


def _back_to_output(xp: Any, x: Any, g: Any, w: Any, *, shape: Geometry) -> Any:
    return convolution(x, conj(xp, w), shape=shape)


def _spread_to_kernel(xp: Any, x: Any, g: Any, w: Any, *, shape: Geometry) -> Any:
    return kernel_transpose(x, conj(xp, g), shape=shape)


@kernel(rule=Multilinear(_back_to_output, _spread_to_kernel))
def input_transpose(g: Any, w: Any, *, shape: Geometry) -> Any:
    """Spread `g` over the windows: the transpose of `convolution` with respect to its input."""
    xp = array_namespace(g, w)
    n, groups = g.shape[0], shape.groups
    rows = xp.reshape(g, (n * math.prod(shape.output), groups, g.shape[-1] // groups))
    patches = xp.matmul(
        xp.permute_dims(rows, (1, 0, 2)), xp.matrix_transpose(_matrix(xp, w, groups))
    )
    count, channels = math.prod(shape.window), w.shape[-2]
    patches = xp.reshape(patches, (groups, n, *shape.output, count, channels))
    rank = patches.ndim
    patches = xp.permute_dims(patches, (*range(1, rank - 1), 0, rank - 1))
    patches = xp.reshape(patches, (n, *shape.output, count, groups * channels))
    return _fold(xp, patches, shape)


def _kernel_to_input(xp: Any, w: Any, x: Any, g: Any, *, shape: Geometry) -> Any:
    return input_transpose(conj(xp, g), w, shape=shape)


def _kernel_to_output(xp: Any, w: Any, x: Any, g: Any, *, shape: Geometry) -> Any:
    return convolution(conj(xp, x), w, shape=shape)


@kernel(rule=Multilinear(_kernel_to_input, _kernel_to_output))
def kernel_transpose(x: Any, g: Any, *, shape: Geometry) -> Any:
    """Correlate `x` with `g`: the transpose of `convolution` with respect to its kernel."""
    xp = array_namespace(x, g)
    groups, out = shape.groups, g.shape[-1]
    patches = _patches(xp, x, shape)
    rows = xp.reshape(patches, (math.prod(patches.shape[:-2]), *patches.shape[-2:]))
    g = xp.reshape(g, (rows.shape[0], groups, out // groups))
    w = xp.matmul(xp.permute_dims(rows, (1, 2, 0)), xp.permute_dims(g, (1, 0, 2)))
    w = xp.permute_dims(w, (1, 0, 2))
    return xp.reshape(w, (*shape.window, x.shape[-1] // groups, out))


def _fold(xp: Any, patches: Any, shape: Geometry) -> Any:
    """Add up patches ``(N, *output, window entries, C)`` where they lie in the input."""
    size = (patches.shape[0], *shape.padded, patches.shape[-1])
    parts = (_spread(xp, patches[..., i, :], p, size) for i, p in enumerate(shape.offsets()))
    total = functools.reduce(operator.add, parts)
    inner = tuple(slice(p, p + n) for (p, _), n in zip(shape.padding, shape.spatial, strict=True))
    return total[(slice(None), *inner, slice(None))]


def _spread(xp: Any, part: Any, place: tuple[slice, ...], size: tuple[int, ...]) -> Any:
    """Put `part` at the slices `place` of zeros, with what the standard has for it."""
    for axis, (where, n) in enumerate(zip(place, size[1:-1], strict=True), start=1):
        count, step = part.shape[axis], where.step
        if step > 1:
            part = xp.expand_dims(part, axis=axis + 1)
            gaps = xp.zeros(
                (*part.shape[: axis + 1], step - 1, *part.shape[axis + 2 :]),
                dtype=part.dtype,
                device=device(part),
            )
            part = xp.concat([part, gaps], axis=axis + 1)
            shape = (*part.shape[:axis], count * step, *part.shape[axis + 2 :])
            part = xp.reshape(part, shape)
            part = part[(*(slice(None),) * axis, slice(0, step * (count - 1) + 1), ...)]
        after = n - where.start - part.shape[axis]
        widths = [(0, 0)] * part.ndim
        widths[axis] = (where.start, after)
        part = pad(part, widths)
    return part


def conv(
    x: Any,
    weight: Any,
    *,
    stride: Sizes = 1,
    padding: Padding = 0,
    dilation: Sizes = 1,
    groups: int = 1,
) -> Any:
    """Cross-correlation over any number of spatial axes, which the field calls convolution.

    Parameters
    ----------
    x : array, shape ``(N, *spatial, C)``
    weight : array, shape ``(*window, C / groups, out)``
    stride, dilation : int or one an axis, default 1
        The steps between windows, and between the entries of one.
    padding : int, one an axis, pairs (before, after), "same" or "valid", default 0
        Zeros around the input. ``"same"`` pads so that the output has the size of the input
        divided by the stride and rounded up.
    groups : int, default 1
        The channels are cut into so many groups that do not mix.

    Returns
    -------
    array, shape ``(N, *output, out)``
        Along each axis ``(n + padding - dilation * (window - 1) - 1) // stride + 1`` entries.

    Raises
    ------
    ShapeError
        If the channels do not fit, or the window is larger than the padded input.
    HyperparameterError
        If an option is out of its domain.

    Examples
    --------
    >>> import numpy as np
    >>> from portanet import functional
    >>> x = np.reshape(np.arange(5.0), (1, 5, 1))
    >>> difference = np.reshape(np.asarray([-1.0, 1.0]), (2, 1, 1))
    >>> print(functional.conv(x, difference)[0, :, 0])
    [1. 1. 1. 1.]
    """
    _check_kernel(x, weight, groups)
    if x.shape[-1] != weight.shape[-2] * groups:
        raise ShapeError(
            f"x.shape[-1] == weight.shape[-2] * groups: "
            f"{x.shape[-1]} != {weight.shape[-2]} * {groups}"
        )
    shape = geometry(x.shape[1:-1], tuple(weight.shape[:-2]), stride, padding, dilation, groups)
    return convolution(x, weight, shape=shape)


def conv_transpose(
    x: Any,
    weight: Any,
    *,
    stride: Sizes = 1,
    padding: Padding = 0,
    output_padding: Sizes = 0,
    dilation: Sizes = 1,
    groups: int = 1,
) -> Any:
    """Transpose of `conv` with respect to its input: it undoes the change of shape.

    Parameters
    ----------
    x : array, shape ``(N, *spatial, C)``
    weight : array, shape ``(*window, out / groups, C)``
        The kernel of the convolution whose transpose this is: that one maps `out` channels to C.
    stride, dilation, groups : as in `conv`
    padding : int, one an axis, or pairs, default 0
        What that convolution pads; here it is cut off.
    output_padding : int or one an axis, default 0
        Entries added after each axis, of the several sizes that give one output.

    Returns
    -------
    array, shape ``(N, *output, out)``
        Along each axis ``(n - 1) * stride + dilation * (window - 1) + 1 - padding`` entries, and
        `output_padding` more.
    """
    _check_kernel(x, weight, groups)
    if x.shape[-1] != weight.shape[-1]:
        raise ShapeError(f"x.shape[-1] == weight.shape[-1]: {x.shape[-1]} != {weight.shape[-1]}")
    rank = x.ndim - 2
    window = tuple(weight.shape[:-2])
    steps, gaps = _each("stride", stride, rank), _each("dilation", dilation, rank)
    extra = (output_padding,) * rank if isinstance(output_padding, int) else tuple(output_padding)
    if len(extra) != rank or any(e < 0 or e >= s for e, s in zip(extra, steps, strict=True)):
        raise HyperparameterError(f"0 <= output_padding < stride: {output_padding!r}, {stride!r}")
    pairs = _pairs(padding, rank)
    sizes = tuple(
        (n - 1) * s + d * (k - 1) + 1 - sum(p) + e
        for n, s, d, k, p, e in zip(x.shape[1:-1], steps, gaps, window, pairs, extra, strict=True)
    )
    return input_transpose(x, weight, shape=Geometry(sizes, window, steps, gaps, pairs, groups))


def _check_kernel(x: Any, weight: Any, groups: int) -> None:
    if x.ndim < 3 or weight.ndim != x.ndim:
        raise ShapeError(f"weight.ndim == x.ndim >= 3: {weight.ndim}, {x.ndim}")
    if weight.shape[-1] % groups:
        raise ShapeError(f"weight.shape[-1] is a multiple of groups: {weight.shape[-1]}, {groups}")


def max_pool(
    x: Any,
    window: Sizes,
    *,
    stride: Sizes | None = None,
    padding: Padding = 0,
    dilation: Sizes = 1,
) -> Any:
    """Largest entry of each window.

    Parameters
    ----------
    x : array, shape ``(N, *spatial, C)``
    window : int or one an axis
    stride : int or one an axis, optional
        By default the window's size: windows that touch.
    padding, dilation : as in `conv`
        What is padded never is the largest.

    Returns
    -------
    array, shape ``(N, *output, C)``
        Where several entries are largest, the first one has the derivative.
    """
    shape = _pooled(x, window, stride, padding, dilation)
    xp = array_namespace(x)
    padded = _padded(x, shape, -math.inf)
    parts = [padded[(slice(None), *place, slice(None))] for place in shape.offsets()]
    best = parts[0]
    for part in parts[1:]:
        best = xp.where(xp.logical_or(part > best, xp.isnan(part)), part, best)
    return best


def mean_pool(
    x: Any,
    window: Sizes,
    *,
    stride: Sizes | None = None,
    padding: Padding = 0,
    dilation: Sizes = 1,
    count_padding: bool = True,
) -> Any:
    """Mean of each window.

    Parameters
    ----------
    x : array, shape ``(N, *spatial, C)``
    window, stride, padding, dilation : as in `max_pool`
    count_padding : bool, default True
        Whether padded zeros count as entries.

    Returns
    -------
    array, shape ``(N, *output, C)``
    """
    shape = _pooled(x, window, stride, padding, dilation)
    xp = array_namespace(x)
    total = _window_sum(x, shape)
    if count_padding or not any(map(any, shape.padding)):
        return total / math.prod(shape.window)
    ones = xp.ones((1, *shape.spatial, 1), dtype=x.dtype, device=device(x))
    return total / _window_sum(ones, shape)


def _window_sum(x: Any, shape: Geometry) -> Any:
    padded = _padded(x, shape)
    parts = [padded[(slice(None), *place, slice(None))] for place in shape.offsets()]
    total = parts[0]
    for part in parts[1:]:
        total = total + part
    return total


def _pooled(
    x: Any, window: Sizes, stride: Sizes | None, padding: Padding, dilation: Sizes
) -> Geometry:
    if x.ndim < 3:
        raise ShapeError(f"x.ndim >= 3, (N, *spatial, C): {x.ndim}")
    shape = geometry(x.shape[1:-1], window, stride, padding, dilation)
    for (before, after), extent in zip(shape.padding, shape.extent, strict=True):
        if max(before, after) >= extent:
            raise HyperparameterError(f"padding < the window's extent: {padding!r}, {window!r}")
    return shape
