"""General n-dimensional convolution and its transpose.

Everything is channels last: ``(N, *spatial, C)``. The windows become the rows of a matrix, which
one product with the kernel takes to the output; the transpose goes the other way.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

from portanet.errors import ShapeError
from portanet.functional.half import in_float32
from portanet.functional.kernel import kernel
from portanet.functional.spatial.geometry import (
    Geometry,
    Padding,
    Sizes,
    geometry,
    group_count,
    transposed_geometry,
)
from portanet.functional.spatial.patch_products import Cut, patch_product, patch_spread
from portanet.functional.spatial.patches import add_patches, window_patches
from portanet.interface import array_namespace, backend_of


@in_float32
@kernel
def convolution(x: Any, w: Any, bias: Any = None, *, shape: Geometry) -> Any:
    """Correlate the windows of `x` with `w`: one product of matrices a group."""
    xp = array_namespace(x, w)
    if shape.pointwise:
        patches, cut = xp.reshape(x, (-1, 1, 1, x.shape[-1])), Cut(groups=shape.groups)
    else:
        rows, cut = _rows(x, w, shape)
        patches = window_patches(x, shape=rows)
    y = patch_product(patches, _lines(xp, w), bias, cut=cut)
    return xp.reshape(y, (x.shape[0], *shape.output, w.shape[-1]))


@in_float32
@kernel
def transposed_convolution(g: Any, w: Any, bias: Any = None, *, shape: Geometry) -> Any:
    """Spread `g` over the windows: the transpose of `convolution` with respect to its input."""
    xp = array_namespace(g, w)
    rows, cut = (shape, Cut(groups=shape.groups)) if shape.pointwise else _rows(g, w, shape)
    count = g.shape[0] * math.prod(rows.output)
    patches = patch_spread(
        xp.reshape(g, (count, cut.windows * w.shape[-1])), _lines(xp, w), cut=cut
    )
    if shape.pointwise:
        x = xp.reshape(patches, (g.shape[0], *shape.spatial, patches.shape[-1]))
    else:
        x = add_patches(patches, shape=rows)
    return x if bias is None else x + bias


def _lines(xp: Any, w: Any) -> Any:
    """A kernel as (lines of a window, entries of a line, C / groups, out)."""
    *lines, width, channels, out = w.shape
    return xp.reshape(w, (math.prod(lines), width, channels, out))


def _rows(x: Any, w: Any, shape: Geometry) -> tuple[Geometry, Cut]:
    """Join windows that are neighbours along the last axis, where the library gains by it."""
    choose = backend_of(x).kernels.get("windows_in_row")
    count = 1 if choose is None else choose(shape, w.shape[-2], w.shape[-1], x.dtype)
    if count == 1:
        return shape, Cut(groups=shape.groups)
    step, width = shape.stride[-1], shape.window[-1]
    rows = replace(
        shape,
        window=(*shape.window[:-1], width + (count - 1) * step),
        stride=(*shape.stride[:-1], count * step),
    )
    return rows, Cut(count, step)


def conv(
    x: Any,
    weight: Any,
    bias: Any = None,
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
    bias : array, shape ``(out,)``, optional
        Added to each entry of the output.
    stride, dilation : int or one an axis, default 1
        The steps between windows, and between the entries of one.
    padding : int, one an axis, pairs (before, after), "same" or "valid", default 0
        Zeros around the input. ``"same"`` pads so that the output has the size of the input
        divided by the stride and rounded up; of an odd number the larger half comes after.
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
    _check_bias(bias, weight.shape[-1])
    spatial, window = tuple(x.shape[1:-1]), tuple(weight.shape[:-2])
    shape = geometry(spatial, window, stride, padding, dilation, groups)
    return convolution(x, weight, bias, shape=shape)


def conv_transpose(
    x: Any,
    weight: Any,
    bias: Any = None,
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
    bias : array, shape ``(out,)``, optional
        Added to each entry of the output.
    stride, dilation, groups : as in `conv`
    padding : int, one an axis, pairs, "same" or "valid", default 0
        What that convolution pads; here it is cut off. With ``"same"`` the output has the size
        of the input times the stride.
    output_padding : int or one an axis, default 0
        Entries added after each axis, of the several sizes that give one output.

    Returns
    -------
    array, shape ``(N, *output, out)``
        Along each axis ``(n - 1) * stride + dilation * (window - 1) + 1 - padding`` entries, and
        `output_padding` more.

    Raises
    ------
    ShapeError
        If the channels do not fit, or nothing is left of an axis.
    HyperparameterError
        If an option is out of its domain.
    """
    _check_kernel(x, weight, groups)
    if x.shape[-1] != weight.shape[-1]:
        raise ShapeError(f"x.shape[-1] == weight.shape[-1]: {x.shape[-1]} != {weight.shape[-1]}")
    _check_bias(bias, weight.shape[-2] * groups)
    spatial, window = tuple(x.shape[1:-1]), tuple(weight.shape[:-2])
    shape = transposed_geometry(spatial, window, stride, padding, output_padding, dilation, groups)
    return transposed_convolution(x, weight, bias, shape=shape)


def _check_kernel(x: Any, weight: Any, groups: int) -> None:
    group_count(groups)
    if x.ndim < 3 or weight.ndim != x.ndim:
        raise ShapeError(
            f"weight.ndim == x.ndim >= 3: weight.ndim is {weight.ndim}, x.ndim is {x.ndim}: x has "
            "the axes (N, *spatial, C), weight (*window, channels, channels)"
        )
    if weight.shape[-1] % groups:
        raise ShapeError(f"weight.shape[-1] % groups == 0: {weight.shape[-1]} % {groups} != 0")


def _check_bias(bias: Any, out: int) -> None:
    if bias is not None and tuple(bias.shape) != (out,):
        raise ShapeError(f"bias.shape == (out,): {tuple(bias.shape)} != {(out,)}")
