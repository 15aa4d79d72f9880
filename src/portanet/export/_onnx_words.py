"""How ndonnx does what it has no function for, or has one that differs."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from portanet.errors import ArgumentError
from portanet.export._interpreter import Interpreter, Word
from portanet.export._sizes import Size
from portanet.functional.spatial.geometry import Geometry
from portanet.tracing.program import Operation

WINDOWS = frozenset(("window_patches", "patch_product"))
"""What becomes a ``Conv`` together."""


class NoConvolution(Exception):
    """Windows that are no part of a convolution."""


@dataclass(frozen=True)
class _Patches:
    """The windows of an array, which only a convolution looks at."""

    x: Any
    shape: Geometry

    def __getattr__(self, name: str) -> Any:
        raise NoConvolution


def _reshape(run: Interpreter, operation: Operation, args: Any, options: Any) -> Any:
    sizes = operation.args[1]
    if sum(isinstance(n, Size) for n in sizes) == 1 and 0 not in sizes:
        return run.xp.reshape(args[0], tuple(-1 if isinstance(n, Size) else n for n in sizes))
    return run.xp.reshape(args[0], run.shape(sizes))


def _broadcast_to(run: Interpreter, operation: Operation, args: Any, options: Any) -> Any:
    return run.xp.broadcast_to(args[0], run.shape(operation.args[1]))


def _getitem(run: Interpreter, operation: Operation, args: Any, options: Any) -> Any:
    x, key = args
    parts = key if type(key) is tuple else (key,)
    if not any(hasattr(part, "dtype") for part in parts):
        return x[key] if ... in parts or _rank(parts) == x.ndim else x[(*parts, ...)]
    if len(parts) == 1 and parts[0].dtype != run.xp.bool:
        index = run.xp.astype(parts[0], run.xp.int64)
        flat = run.xp.take(x, run.xp.reshape(index, (-1,)), axis=0)
        if index.ndim == 1:
            return flat
        shape = run.xp.concat([index.dynamic_shape, x.dynamic_shape[1:]])
        return run.xp.reshape(flat, shape)
    raise ArgumentError(
        "an index of several arrays, or of booleans, cannot be exported to ONNX: use xp.take, "
        "xp.take_along_axis or xp.where"
    )


def _rank(parts: tuple[Any, ...]) -> int:
    return sum(part is not None for part in parts)


def _checked_index(run: Interpreter, operation: Operation, args: Any, options: Any) -> Any:
    index, size, _, wraps = args
    index = run.xp.astype(index, run.xp.int64)
    return run.xp.where(index < 0, index + size, index) if wraps else index


def _joined(name: str) -> Word:
    def word(run: Interpreter, operation: Operation, args: Any, options: Any) -> Any:
        return getattr(run.xp, name)(args, **options)

    return word


def _named(name: str) -> Word:
    def word(run: Interpreter, operation: Operation, args: Any, options: Any) -> Any:
        return getattr(run.xp, name)(*args, **options)

    return word


def _patches(run: Interpreter, operation: Operation, args: Any, options: Any) -> Any:
    return _Patches(args[0], options["shape"])


def _patch_product(run: Interpreter, operation: Operation, args: Any, options: Any) -> Any:
    patches, w, *rest = args
    bias = rest[0] if rest else None
    xp, cut = run.xp, options["cut"]
    lines, width, channels, out = operation.args[1].shape
    if not isinstance(patches, _Patches):
        if cut.windows > 1 or cut.groups > 1:
            raise NoConvolution
        y = xp.reshape(patches, (-1, lines * width * channels)) @ xp.reshape(w, (-1, out))
        return y if bias is None else y + bias
    if patches.x.dtype != xp.float32:  # which onnxruntime convolves alone
        raise NoConvolution
    shape = patches.shape
    window = (*shape.window[:-1], width)
    stride = shape.stride if cut.windows == 1 else (*shape.stride[:-1], cut.step)
    rank = len(window)
    kernel = xp.reshape(w, (*window, channels, out))
    kernel = xp.permute_dims(kernel, (rank + 1, rank, *range(rank)))
    x = xp.permute_dims(patches.x, (0, rank + 1, *range(1, rank + 1)))
    before, after = zip(*shape.padding, strict=True)
    y = xp.asarray(
        _onnx().conv(
            x.unwrap_spox(), kernel.unwrap_spox(), None if bias is None else bias.unwrap_spox(),
            dilations=shape.dilation, group=cut.groups, kernel_shape=window,
            pads=(*before, *after), strides=stride,
        )
    )  # fmt: skip
    y = xp.permute_dims(y, (0, *range(2, rank + 2), 1))
    return xp.reshape(y, (-1, cut.windows * out))


def _onnx() -> Any:
    """Return the operators of ONNX: what ndonnx itself is written in."""
    return importlib.import_module("spox.opset.ai.onnx.v21")


WORDS: Mapping[str, Word] = {
    "broadcast_to": _broadcast_to,
    "checked_index": _checked_index,
    "clip_between": _named("clip"),
    "concat_arrays": _joined("concat"),
    "convert": _named("astype"),
    "differences": _named("diff"),
    "getitem": _getitem,
    "patch_product": _patch_product,
    "reshape": _reshape,
    "stack_arrays": _joined("stack"),
    "window_patches": _patches,
}
