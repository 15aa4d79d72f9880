"""Layers of images, whose channels are last here and second in torch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from portanet import layers
from portanet.io.torch_modules.converted import Converted, Place, array, arrays, each
from portanet.io.torch_modules.plain import Converter


def _rank(module: Any) -> int:
    return int(type(module).__name__[-2])


def convolution(module: Any, place: Place) -> Converted:
    place.images(module, _rank(module))
    place.require(module, padding_mode="zeros")
    transposed = "Transpose" in type(module).__name__
    more = {"output_padding": module.output_padding} if transposed else {}
    padding = module.padding if isinstance(module.padding, str) else tuple(module.padding)
    kind = layers.ConvTranspose if transposed else layers.Conv
    layer = kind(
        tuple(module.kernel_size), module.in_channels, module.out_channels, stride=module.stride,
        padding=padding, dilation=module.dilation, groups=module.groups,
        use_bias=module.bias is not None, **more,
    )  # fmt: skip
    # Torch has (out, in, *window), the channels of what is read second; here they come before those
    # of what is made, and of a transposed convolution the other way round, as it is the transpose.
    weight = np.moveaxis(array(module.weight), (1, 0), (-2, -1))
    return Converted(layer, {"weight": weight.copy(), **arrays(bias=module.bias)})


def max_pool(module: Any, place: Place) -> Converted:
    rank = _rank(module)
    place.images(module, rank)
    place.require(module, return_indices=False)
    layer = layers.MaxPool(
        each(module.kernel_size, rank), stride=each(module.stride, rank),
        padding=each(module.padding, rank), dilation=each(module.dilation, rank),
        ceil_mode=module.ceil_mode,
    )  # fmt: skip
    return Converted(layer)


def mean_pool(module: Any, place: Place) -> Converted:
    rank = _rank(module)
    place.images(module, rank)
    place.require(module, divisor_override=None)
    layer = layers.MeanPool(
        each(module.kernel_size, rank), stride=each(module.stride, rank),
        padding=each(module.padding, rank), ceil_mode=module.ceil_mode,
        count_padding=module.count_include_pad,
    )  # fmt: skip
    return Converted(layer)


def adaptive_pool(module: Any, place: Place) -> Converted:
    rank = _rank(module)
    place.images(module, rank)
    place.require(module, return_indices=False)
    size = each(module.output_size, rank)
    if None in size:
        place.refuse(module, f"every axis has a size: got {size}")
    largest = "Max" in type(module).__name__
    return Converted((layers.AdaptiveMaxPool if largest else layers.AdaptiveMeanPool)(size))


def upsample(module: Any, place: Place) -> Converted:
    if not place.spatial:
        place.refuse(module, "it follows a layer of images, which says how many axes they have")
    size = None if module.size is None else each(module.size, place.spatial)
    scale = None if size is not None else each(module.scale_factor, place.spatial)
    layer = layers.Upsample(
        scale, size=size, mode=module.mode, align_corners=bool(module.align_corners)
    )
    return Converted(layer)


def shuffle(module: Any, place: Place) -> Converted:
    place.images(module, 2)
    if type(module).__name__ == "PixelShuffle":
        return Converted(layers.PixelShuffle(each(module.upscale_factor, 2)))
    return Converted(layers.PixelUnshuffle(each(module.downscale_factor, 2)))


def padding(module: Any, place: Place) -> Converted:
    """Torch lists the ends from the last axis on."""
    name, rank = type(module).__name__, _rank(module)
    place.images(module, rank)
    ends = each(module.padding, 2 * rank)
    pairs = tuple((ends[2 * i], ends[2 * i + 1]) for i in reversed(range(rank)))
    kinds: dict[str, Any] = {
        "CircularPad": layers.CircularPad, "ReflectionPad": layers.ReflectionPad,
        "ReplicationPad": layers.ReplicationPad, "ZeroPad": layers.ZeroPad,
    }  # fmt: skip
    if name.startswith("ConstantPad"):
        return Converted(layers.ConstantPad(pairs, value=module.value))
    return Converted(kinds[name[:-2]](pairs))


_RANKS = 1, 2, 3
CONVERTERS: Mapping[str, Converter] = {
    **{f"{name}{n}d": convolution for name in ("Conv", "ConvTranspose") for n in _RANKS},
    **{f"{name}Pad{n}d": padding for name in ("Circular", "Constant", "Zero") for n in _RANKS},
    **{f"{name}Pad{n}d": padding for name in ("Reflection", "Replication") for n in _RANKS},
    **{f"Adaptive{name}Pool{n}d": adaptive_pool for name in ("Avg", "Max") for n in _RANKS},
    **{f"AvgPool{n}d": mean_pool for n in _RANKS},
    **{f"MaxPool{n}d": max_pool for n in _RANKS},
    "PixelShuffle": shuffle,
    "PixelUnshuffle": shuffle,
    "Upsample": upsample,
}
