"""The patches of a convolution on a CUDA device: one copy, and one kernel for their sum."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

import cupy
from cupy.lib.stride_tricks import as_strided

from portanet.backends.cupy.devices import following
from portanet.functional.kernel import GENERIC
from portanet.tracing.plan.fused_words import C_TYPES

Array = cupy.ndarray
_SUMS = {"float16": "float", "float32": "float", "float64": "double"}


def window_patches(x: Array, *, shape: Any) -> Array:
    """Compute `portanet.functional.spatial.patches.window_patches`."""
    if shape.padded != shape.spatial:
        wide = cupy.zeros((x.shape[0], *shape.padded, x.shape[-1]), x.dtype)
        wide[(slice(None), *shape.inner)] = x
        x = wide
    steps = x.strides[1:-1]
    outer = (n * s for n, s in zip(steps, shape.stride, strict=True))
    inner = (n * d for n, d in zip(steps, shape.dilation, strict=True))
    sizes = (x.shape[0], *shape.output, *shape.window, x.shape[-1])
    patches = cupy.empty(sizes, x.dtype)
    patches[...] = as_strided(x, sizes, (x.strides[0], *outer, *inner, x.strides[-1]))
    *lines, entries = shape.window
    rows = x.shape[0] * math.prod(shape.output)
    return patches.reshape(rows, math.prod(lines), entries, x.shape[-1])


def add_patches(patches: Array, *, shape: Any) -> Array:
    """Compute `portanet.functional.spatial.patches.add_patches`, each entry by one thread."""
    channels, dtype = patches.shape[-1], str(patches.dtype)
    result = (patches.shape[0] // math.prod(shape.output), *shape.spatial, channels)
    if dtype not in _SUMS or not (patches.size and math.prod(result)):
        return GENERIC["add_patches"](patches, shape=shape)
    starts = tuple(part.start for part in shape.inner)
    sizes = (shape.spatial, starts, shape.output, shape.window, shape.stride, shape.dilation)
    add = _adding(dtype, channels, *(tuple(map(int, part)) for part in sizes))
    return add(cupy.ascontiguousarray(patches), size=math.prod(result)).reshape(result)


@cache
def _adding(
    dtype: str,
    channels: int,
    spatial: tuple[int, ...],
    starts: tuple[int, ...],
    output: tuple[int, ...],
    window: tuple[int, ...],
    stride: tuple[int, ...],
    dilation: tuple[int, ...],
) -> Any:
    """Return the kernel for windows of these sizes, which the compiler then knows."""
    rest, place, entry = "i", "n", "0"
    axes = range(len(window))
    lines = [f"const long long c = {rest} % {channels};"]
    rest = f"{rest} / {channels}"
    for a in reversed(axes):
        lines.append(f"const long long p{a} = ({rest}) % {spatial[a]} + {starts[a]};")
        rest = f"({rest}) / {spatial[a]}"
    lines += [f"const long long n = {rest};", f"{_SUMS[dtype]} total = 0;"]
    for a in axes:
        lines += [
            f"for (long long k{a} = 0; k{a} < {window[a]}; ++k{a}) {{",
            f"const long long d{a} = p{a} - k{a} * {dilation[a]}, q{a} = d{a} / {stride[a]};",
            f"if (d{a} < 0 || d{a} % {stride[a]} || q{a} >= {output[a]}) continue;",
        ]
        place, entry = f"({place} * {output[a]} + q{a})", f"({entry} * {window[a]} + k{a})"
    source = f"({place} * {math.prod(window)} + {entry}) * {channels} + c"
    lines += [f"total += static_cast<{_SUMS[dtype]}>(patches[{source}]);", "}" * len(window)]
    lines.append(f"y = static_cast<{C_TYPES[dtype]}>(total);")
    return cupy.ElementwiseKernel(
        f"raw {dtype} patches", f"{dtype} y", "\n".join(lines), "portanet_add_patches"
    )


KERNELS: Mapping[str, Callable[..., Any]] = {
    "add_patches": following(add_patches),
    "window_patches": following(window_patches),
}
