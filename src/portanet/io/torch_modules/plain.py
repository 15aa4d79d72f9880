"""Layers of rows, activations, and norms."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from portanet import functional, layers
from portanet.core import WrappedFunction
from portanet.interface import array_namespace
from portanet.io.torch_modules.converted import Called, Converted, Place, array, arrays

Converter = Callable[[Any, Place], Converted]
_FUNCTIONS: Mapping[str, tuple[Callable[..., Any], Mapping[str, str]]] = {
    "CELU": (functional.celu, {"alpha": "alpha"}),
    "ELU": (functional.elu, {"alpha": "alpha"}),
    "Hardsigmoid": (functional.hard_sigmoid, {}),
    "Hardswish": (functional.hard_swish, {}),
    "LeakyReLU": (functional.leaky_relu, {"negative_slope": "negative_slope"}),
    "LogSigmoid": (functional.log_sigmoid, {}),
    "Mish": (functional.mish, {}),
    "ReLU": (functional.relu, {}),
    "ReLU6": (functional.relu6, {}),
    "SELU": (functional.selu, {}),
    "SiLU": (functional.silu, {}),
    "Sigmoid": (functional.sigmoid, {}),
    "Softshrink": (functional.soft_shrink, {"threshold": "lambd"}),
    "Softsign": (functional.softsign, {}),
    "Tanh": (functional.tanh, {}),
    "Tanhshrink": (functional.tanh_shrink, {}),
}
"""Activations: the function, and what its arguments are called as attributes of torch's module."""

_OF_AXES = {
    "GLU": functional.glu,
    "LogSoftmax": functional.log_softmax,
    "Softmax": functional.softmax,
}


def activation(module: Any, place: Place) -> Converted:
    function, names = _FUNCTIONS[type(module).__name__]
    options = tuple((name, getattr(module, theirs)) for name, theirs in names.items())
    return Converted(WrappedFunction(Called(function, options) if options else function))


def along_axis(module: Any, place: Place) -> Converted:
    if module.dim is None:
        place.refuse(module, "dim is an axis: got None")
    function, axis = _OF_AXES[type(module).__name__], place.axis(module.dim)
    return Converted(WrappedFunction(Called(function, (("axis", axis),))))


def gelu(module: Any, place: Place) -> Converted:
    erf = module.approximate == "none"
    return Converted(WrappedFunction(functional.gelu_erf if erf else functional.gelu))


def hard_tanh(module: Any, place: Place) -> Converted:
    place.require(module, min_val=-1.0, max_val=1.0)
    return Converted(WrappedFunction(functional.hard_tanh))


def softplus(module: Any, place: Place) -> Converted:
    place.require(module, beta=1.0)
    return Converted(WrappedFunction(functional.softplus))


def prelu(module: Any, place: Place) -> Converted:
    return Converted(layers.PReLU(module.num_parameters), arrays(slope=module.weight))


def dense(module: Any, place: Place) -> Converted:
    place.rows(module)
    use_bias = module.bias is not None
    layer = layers.Dense(module.in_features, module.out_features, use_bias=use_bias)
    return Converted(layer, arrays(weight=module.weight, bias=module.bias))


def embedding(module: Any, place: Place) -> Converted:
    place.require(module, max_norm=None)
    weight, padding = array(module.weight), module.padding_idx
    if padding is not None and weight[padding].any():  # torch reads it, and only learns nothing
        padding = None
    layer = layers.Embedding(*weight.shape, padding_index=padding)
    return Converted(layer, {"weight": weight})


def identity(module: Any, place: Place) -> Converted:
    return Converted(layers.NoOp())


def flatten(module: Any, place: Place) -> Converted:
    if not place.spatial:
        return Converted(layers.Flatten(module.start_dim, module.end_dim))
    place.require(module, start_dim=1, end_dim=-1)
    place.spatial = 0
    return Converted(WrappedFunction(flatten_channels_first))


def flatten_channels_first(x: Any) -> Any:
    """Make one axis of all but the first, as torch does, whose channels come before the others."""
    xp = array_namespace(x)
    return xp.reshape(xp.moveaxis(x, -1, 1), (x.shape[0], -1))


def dropout(module: Any, place: Place) -> Converted:
    return _drawing(layers.Dropout(module.p))


def dropout_of_channels(module: Any, place: Place) -> Converted:
    place.images(module, int(type(module).__name__[-2]))
    return _drawing(layers.Dropout(module.p, axes=(0, place.spatial + 1)))


def alpha_dropout(module: Any, place: Place) -> Converted:
    return _drawing(layers.AlphaDropout(module.p))


def _drawing(layer: Any) -> Converted:
    return Converted(layer, {}, layer.initial_states(np.random.default_rng(0)))


def layer_norm(module: Any, place: Place) -> Converted:
    place.rows(module)
    affine = module.weight is not None
    layer = layers.LayerNorm(tuple(module.normalized_shape), affine=affine, epsilon=module.eps)
    ps = arrays(scale=module.weight, bias=module.bias)
    if affine and module.bias is None:
        ps["bias"] = np.zeros_like(ps["scale"])
    return Converted(layer, ps)


def rms_norm(module: Any, place: Place) -> Converted:
    place.rows(module)
    affine = module.weight is not None
    if module.eps is None:
        place.refuse(module, "eps is a number: got None, which depends on the dtype of the input")
    layer = layers.RMSNorm(tuple(module.normalized_shape), affine=affine, epsilon=module.eps)
    return Converted(layer, arrays(scale=module.weight))


def group_norm(module: Any, place: Place) -> Converted:
    channels, groups = module.num_channels, module.num_groups
    layer = layers.GroupNorm(channels, groups, affine=module.affine, epsilon=module.eps)
    return Converted(layer, arrays(scale=module.weight, bias=module.bias))


def _norm_of_channels(kind: Any) -> Converter:
    def convert(module: Any, place: Place) -> Converted:
        spatial = int(type(module).__name__[-2])
        if spatial > 1 or place.spatial:
            place.images(module, spatial)
        layer = kind(
            module.num_features, affine=module.affine, track_stats=module.track_running_stats,
            epsilon=module.eps, momentum=module.momentum,
        )  # fmt: skip
        st = layer.initial_states(np.random.default_rng(0))
        if module.track_running_stats:
            st |= arrays(running_mean=module.running_mean, running_var=module.running_var)
        if "batches" in st:
            st["batches"] = np.asarray(array(module.num_batches_tracked)[None], st["batches"].dtype)
        return Converted(layer, arrays(scale=module.weight, bias=module.bias), st)

    return convert


CONVERTERS: Mapping[str, Converter] = {
    **dict.fromkeys(_FUNCTIONS, activation),
    **dict.fromkeys(_OF_AXES, along_axis),
    **dict.fromkeys((f"BatchNorm{n}d" for n in (1, 2, 3)), _norm_of_channels(layers.BatchNorm)),
    **dict.fromkeys(
        (f"InstanceNorm{n}d" for n in (1, 2, 3)), _norm_of_channels(layers.InstanceNorm)
    ),
    **dict.fromkeys((f"Dropout{n}d" for n in (1, 2, 3)), dropout_of_channels),
    "AlphaDropout": alpha_dropout,
    "Dropout": dropout,
    "Embedding": embedding,
    "Flatten": flatten,
    "GELU": gelu,
    "GroupNorm": group_norm,
    "Hardtanh": hard_tanh,
    "Identity": identity,
    "LayerNorm": layer_norm,
    "Linear": dense,
    "PReLU": prelu,
    "RMSNorm": rms_norm,
    "Softplus": softplus,
}
