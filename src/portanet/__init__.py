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

from portanet import (
    autodiff,
    backends,
    errors,
    functional,
    random,
    trees,
)
from portanet.autodiff import *  # noqa: F403
from portanet.backends import array_namespace
from portanet.core import (
    Container,
    Layer,
    apply,
    output_shape,
    parameter_count,
    setup,
    state_count,
    test_mode,
    train_mode,
    update_state,
)
from portanet.devices import Device, cpu_device, device, get_device, gpu_device
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
from portanet.precision import astype
from portanet.random import replicate
from portanet.ravel import map_parameters, ravel
from portanet.trees import register_tree

if _typing.TYPE_CHECKING:
    from portanet import initializers, layers, losses, optimizers, testing, training
    from portanet._compact import compact
    from portanet._parts import non_trainable, trainable
    from portanet.component_vector import ComponentVector
    from portanet.layers import (
        BatchNorm,
        Bilinear,
        BranchLayer,
        Chain,
        Dense,
        Dropout,
        Embedding,
        Flatten,
        LayerNorm,
        Maxout,
        NoOp,
        PairwiseFusion,
        Parallel,
        RepeatedLayer,
        Reshape,
        Scale,
        SelectDim,
        SkipConnection,
        WrappedFunction,
    )
    from portanet.losses import (
        BinaryCrossEntropyLoss,
        CrossEntropyLoss,
        HuberLoss,
        MAELoss,
        MSELoss,
    )
    from portanet.stateful import StatefulModel
    from portanet.tracing.jit import Jitted, jit
    from portanet.versions import show_versions

__version__ = "0.1.0"

__all__ = [
    "BatchNorm",
    "Bilinear",
    "BinaryCrossEntropyLoss",
    "BranchLayer",
    "Chain",
    "ComponentVector",
    "Container",
    "CrossEntropyLoss",
    "Dense",
    "Device",
    "Dropout",
    "Embedding",
    "Flatten",
    "HuberLoss",
    "Jitted",
    "Layer",
    "LayerNorm",
    "MAELoss",
    "MSELoss",
    "Maxout",
    "NoOp",
    "PairwiseFusion",
    "Parallel",
    "RepeatedLayer",
    "Reshape",
    "Scale",
    "SelectDim",
    "SkipConnection",
    "StatefulModel",
    "WrappedFunction",
    "apply",
    "array_namespace",
    "astype",
    "backends",
    "celu",
    "compact",
    "cpu_device",
    "device",
    "elu",
    "errors",
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
    "jit",
    "layers",
    "leaky_relu",
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
    "random",
    "ravel",
    "register_tree",
    "relu",
    "relu6",
    "replicate",
    "rrelu",
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
    "tanh",
    "tanh_shrink",
    "test_mode",
    "testing",
    "threshold_relu",
    "train_mode",
    "trainable",
    "training",
    "trees",
    "update_state",
]
__all__ += autodiff.__all__

_MODULES = ("initializers", "layers", "losses", "optimizers", "testing", "training")
_NAMES = {
    "_compact": ("compact",),
    "_parts": ("non_trainable", "trainable"),
    "component_vector": ("ComponentVector",),
    "layers": (
        "BatchNorm",
        "Bilinear",
        "BranchLayer",
        "Chain",
        "Dense",
        "Dropout",
        "Embedding",
        "Flatten",
        "LayerNorm",
        "Maxout",
        "NoOp",
        "PairwiseFusion",
        "Parallel",
        "RepeatedLayer",
        "Reshape",
        "Scale",
        "SelectDim",
        "SkipConnection",
        "WrappedFunction",
    ),
    "losses": ("BinaryCrossEntropyLoss", "CrossEntropyLoss", "HuberLoss", "MAELoss", "MSELoss"),
    "stateful": ("StatefulModel",),
    "tracing.jit": ("Jitted", "jit"),
    "versions": ("show_versions",),
}
_LATER = {name: module for module, names in _NAMES.items() for name in names}
"""Where names come from that are loaded when they are first used: gradients need none of them."""


def __getattr__(name: str) -> _typing.Any:
    if name in _MODULES:
        return _importlib.import_module(f"portanet.{name}")
    if name not in _LATER:
        raise AttributeError(f"module 'portanet' has no attribute {name!r}")
    value = getattr(_importlib.import_module(f"portanet.{_LATER[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
