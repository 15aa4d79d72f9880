"""Neural networks with explicit parameters and states on any Array API library.

>>> import numpy as np
>>> import portanet as pn
>>> model = pn.Chain(pn.Dense(2, 3, pn.tanh), pn.Dense(3, 1))
>>> ps, st = pn.setup(0, model)
>>> y, st = model(np.ones((4, 2), np.float32), ps, st)
>>> y.shape
(4, 1)
"""

import importlib as _importlib
import typing as _typing

from portanet import autodiff, errors, random, trees
from portanet.autodiff import *  # noqa: F403
from portanet.core import (
    Container,
    Layer,
    MaskedInput,
    apply,
    layer_map,
    output_shape,
    parameter_count,
    resolve,
    setup,
    state_count,
    test_mode,
    train_mode,
    update_state,
)
from portanet.devices import Device, cpu_device, device, get_device, gpu_device
from portanet.interface import array_namespace, lift
from portanet.listing import listing as _listing
from portanet.parameters.precision import astype
from portanet.parameters.ravel import map_parameters, ravel
from portanet.random import replicate
from portanet.trees import register_tree

if _typing.TYPE_CHECKING:
    from portanet import (
        backends,
        data,
        distributed,
        export,
        functional,
        initializers,
        io,
        layers,
        losses,
        optimizers,
        plots,
        testing,
        training,
    )
    from portanet.control import cond, fori_loop, scan, while_loop
    from portanet.functional import (
        celu,
        elu,
        gelu,
        gelu_erf,
        glu,
        hard_sigmoid,
        hard_swish,
        hard_tanh,
        identity,
        leaky_relu,
        lisht,
        log_cosh,
        log_sigmoid,
        log_softmax,
        logsumexp,
        mish,
        relu,
        relu6,
        rrelu,
        selu,
        sigmoid,
        silu,
        soft_shrink,
        softmax,
        softplus,
        softsign,
        stop_gradient,
        tanh,
        tanh_shrink,
        threshold_relu,
    )
    from portanet.inspection.debug import debug
    from portanet.inspection.summary import summary
    from portanet.layers import *  # noqa: F403
    from portanet.layers.attention.cache import with_cache
    from portanet.layers.containers.compact import compact
    from portanet.layers.containers.compact_parts import non_trainable, trainable
    from portanet.layers.wrappers.frozen import freeze, unfreeze
    from portanet.losses import *  # noqa: F403
    from portanet.parameters.component_vector import ComponentVector
    from portanet.stateful import StatefulModel
    from portanet.tracing.call.jit import jit
    from portanet.tracing.call.jitted import Jitted
    from portanet.versions import show_versions

__version__ = "0.1.0"

__all__ = [
    "AdaptiveLPPool",
    "AdaptiveMaxPool",
    "AdaptiveMeanPool",
    "AlphaDropout",
    "AlternatePrecision",
    "BatchNorm",
    "BidirectionalRNN",
    "Bilinear",
    "BinaryCrossEntropyLoss",
    "BinaryFocalLoss",
    "BranchLayer",
    "CTCLoss",
    "Chain",
    "CircularPad",
    "ComponentVector",
    "ConstantPad",
    "Container",
    "Conv",
    "ConvTranspose",
    "CosineEmbeddingLoss",
    "CrossEntropyLoss",
    "Dense",
    "Device",
    "DiceLoss",
    "DropPath",
    "Dropout",
    "Embedding",
    "EmbeddingBag",
    "Flatten",
    "FocalLoss",
    "Frozen",
    "GRUCell",
    "GaussianNLLLoss",
    "GenericLoss",
    "GlobalLPPool",
    "GlobalMaxPool",
    "GlobalMeanPool",
    "GroupNorm",
    "HingeLoss",
    "HuberLoss",
    "HyperNet",
    "InfoNCELoss",
    "InstanceNorm",
    "Jitted",
    "KLDivergenceLoss",
    "LPPool",
    "LSTMCell",
    "Layer",
    "LayerNorm",
    "LearnedPositionalEmbedding",
    "MAELoss",
    "MSELoss",
    "MSLELoss",
    "MaskedInput",
    "MaxPool",
    "Maxout",
    "MeanPool",
    "MultiHeadAttention",
    "MultiMarginLoss",
    "NLLLoss",
    "NoOp",
    "PReLU",
    "PairwiseFusion",
    "Parallel",
    "PeriodicEmbedding",
    "PixelShuffle",
    "PixelUnshuffle",
    "PoissonLoss",
    "RMSNorm",
    "RNNCell",
    "Recurrence",
    "ReflectionPad",
    "RepeatedLayer",
    "ReplicationPad",
    "Reshape",
    "ReverseSequence",
    "RotaryPositionalEmbedding",
    "Scale",
    "SelectDim",
    "SiameseContrastiveLoss",
    "SinusoidalPositionalEmbedding",
    "SkipConnection",
    "SmoothL1Loss",
    "SoftMarginLoss",
    "SpectralNorm",
    "SquaredHingeLoss",
    "StackedRecurrence",
    "StatefulModel",
    "StatefulRecurrentCell",
    "Tied",
    "TransformerDecoderLayer",
    "TransformerEncoderLayer",
    "TransformerStack",
    "TripletMarginLoss",
    "TverskyLoss",
    "Upsample",
    "VariationalHiddenDropout",
    "WeightNorm",
    "WrappedFunction",
    "ZeroPad",
    "apply",
    "array_namespace",
    "astype",
    "backends",
    "celu",
    "compact",
    "cond",
    "cpu_device",
    "data",
    "debug",
    "device",
    "distributed",
    "elu",
    "errors",
    "export",
    "fori_loop",
    "freeze",
    "functional",
    "gelu",
    "gelu_erf",
    "get_device",
    "glu",
    "gpu_device",
    "hard_sigmoid",
    "hard_swish",
    "hard_tanh",
    "identity",
    "initializers",
    "io",
    "jit",
    "layer_map",
    "layers",
    "leaky_relu",
    "lift",
    "lisht",
    "log_cosh",
    "log_sigmoid",
    "log_softmax",
    "logsumexp",
    "losses",
    "map_parameters",
    "mish",
    "non_trainable",
    "optimizers",
    "output_shape",
    "parameter_count",
    "plots",
    "random",
    "ravel",
    "register_tree",
    "relu",
    "relu6",
    "replicate",
    "resolve",
    "rrelu",
    "scan",
    "selu",
    "setup",
    "show_versions",
    "sigmoid",
    "silu",
    "soft_shrink",
    "softmax",
    "softplus",
    "softsign",
    "state_count",
    "stop_gradient",
    "summary",
    "tanh",
    "tanh_shrink",
    "test_mode",
    "testing",
    "threshold_relu",
    "train_mode",
    "trainable",
    "training",
    "trees",
    "unfreeze",
    "update_state",
    "while_loop",
    "with_cache",
]
__all__ += autodiff.__all__

_MODULES = {
    *("backends", "data", "distributed", "export", "functional", "initializers", "io", "layers"),
    *("losses", "optimizers", "plots", "testing", "training"),
}
_NAMES = {
    "control": ("cond", "fori_loop", "scan", "while_loop"),
    "functional": (
        "celu",
        "elu",
        "gelu",
        "gelu_erf",
        "glu",
        "hard_sigmoid",
        "hard_swish",
        "hard_tanh",
        "identity",
        "leaky_relu",
        "lisht",
        "log_cosh",
        "log_sigmoid",
        "log_softmax",
        "logsumexp",
        "mish",
        "relu",
        "relu6",
        "rrelu",
        "selu",
        "sigmoid",
        "silu",
        "soft_shrink",
        "softmax",
        "softplus",
        "softsign",
        "stop_gradient",
        "tanh",
        "tanh_shrink",
        "threshold_relu",
    ),
    "inspection.debug": ("debug",),
    "inspection.summary": ("summary",),
    "layers.attention.cache": ("with_cache",),
    "layers.containers.compact": ("compact",),
    "layers.containers.compact_parts": ("non_trainable", "trainable"),
    "layers.wrappers.frozen": ("freeze", "unfreeze"),
    "parameters.component_vector": ("ComponentVector",),
    "stateful": ("StatefulModel",),
    "tracing.call.jit": ("jit",),
    "tracing.call.jitted": ("Jitted",),
    "versions": ("show_versions",),
}
_LATER = {name: module for module, names in _NAMES.items() for name in names}
"""Where names come from that are loaded when they are first used: gradients need none of them.

All others in ``__all__`` are layers and losses.
"""


def __getattr__(name: str) -> _typing.Any:
    if name in _MODULES:
        return _importlib.import_module(f"portanet.{name}")
    if name not in __all__:
        raise AttributeError(f"module 'portanet' has no attribute {name!r}")
    module = _LATER.get(name, "losses" if name.endswith("Loss") else "layers")
    value = getattr(_importlib.import_module(f"portanet.{module}"), name)
    globals()[name] = value
    return value


__dir__ = _listing(__all__)
