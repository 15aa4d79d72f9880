"""General n-dimensional convolution and its transposes.

Everything is channels last: ``(N, *spatial, C)``. Convolution, its transpose with respect to the
input and that with respect to the kernel are the three faces of one trilinear form, so each has
the other two as its derivatives, to any order.
"""

from __future__ import annotations

import math
from typing import Any

from portanet.backends import array_namespace
from portanet.errors import HyperparameterError, ShapeError
from portanet.functional.geometry import (
    Geometry,
    Padding,
    Sizes,
    each_axis,
    geometry,
    pad_widths,
)
from portanet.functional.kernel import kernel
from portanet.functional.patches import add_patches, window_patches
from portanet.tape.rule import Multilinear, conj

__all__ = ["conv", "conv_transpose"]


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
    patches = window_patches(xp, x, shape)
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
    return add_patches(xp, patches, shape)


def _kernel_to_input(xp: Any, w: Any, x: Any, g: Any, *, shape: Geometry) -> Any:
    return input_transpose(conj(xp, g), w, shape=shape)


def _kernel_to_output(xp: Any, w: Any, x: Any, g: Any, *, shape: Geometry) -> Any:
    return convolution(conj(xp, x), w, shape=shape)


@kernel(rule=Multilinear(_kernel_to_input, _kernel_to_output))
def kernel_transpose(x: Any, g: Any, *, shape: Geometry) -> Any:
    """Correlate `x` with `g`: the transpose of `convolution` with respect to its kernel."""
    xp = array_namespace(x, g)
    groups, out = shape.groups, g.shape[-1]
    patches = window_patches(xp, x, shape)
    rows = xp.reshape(patches, (math.prod(patches.shape[:-2]), *patches.shape[-2:]))
    g = xp.reshape(g, (rows.shape[0], groups, out // groups))
    w = xp.matmul(xp.permute_dims(rows, (1, 2, 0)), xp.permute_dims(g, (1, 0, 2)))
    w = xp.permute_dims(w, (1, 0, 2))
    return xp.reshape(w, (*shape.window, x.shape[-1] // groups, out))


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
    steps, gaps = each_axis("stride", stride, rank), each_axis("dilation", dilation, rank)
    extra = (output_padding,) * rank if isinstance(output_padding, int) else tuple(output_padding)
    if len(extra) != rank or any(e < 0 or e >= s for e, s in zip(extra, steps, strict=True)):
        raise HyperparameterError(
            f"0 <= output_padding < stride: got {output_padding!r}, and stride is {stride!r}"
        )
    pairs = pad_widths(padding, rank)
    sizes = tuple(
        (n - 1) * s + d * (k - 1) + 1 - sum(p) + e
        for n, s, d, k, p, e in zip(x.shape[1:-1], steps, gaps, window, pairs, extra, strict=True)
    )
    return input_transpose(x, weight, shape=Geometry(sizes, window, steps, gaps, pairs, groups))


def _check_kernel(x: Any, weight: Any, groups: int) -> None:
    if x.ndim < 3 or weight.ndim != x.ndim:
        raise ShapeError(
            f"weight.ndim == x.ndim >= 3: weight.ndim is {weight.ndim}, x.ndim is {x.ndim}: x has "
            "the axes (N, *spatial, C), weight (*window, channels, channels)"
        )
    if weight.shape[-1] % groups:
        raise ShapeError(f"weight.shape[-1] % groups == 0: {weight.shape[-1]} % {groups} != 0")
