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
    initializers,
    layers,
    losses,
    random,
    trees,
)
from portanet._parts import non_trainable, trainable
from portanet.autodiff import *  # noqa: F403
from portanet.backends import array_namespace
from portanet.compact import compact
from portanet.component_vector import ComponentVector
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
from portanet.layers import *  # noqa: F403
from portanet.losses import (
    BinaryCrossEntropyLoss,
    CrossEntropyLoss,
    HuberLoss,
    MAELoss,
    MSELoss,
)
from portanet.precision import astype
from portanet.random import replicate
from portanet.ravel import map_parameters, ravel
from portanet.stateful import StatefulModel
from portanet.trees import register_tree

if _typing.TYPE_CHECKING:
    from portanet import optimizers, testing, training
    from portanet.tracing.jit import Jitted, jit
    from portanet.versions import show_versions

__version__ = "0.1.0"

__all__ = [
    "BinaryCrossEntropyLoss",
    "ComponentVector",
    "Container",
    "CrossEntropyLoss",
    "Device",
    "HuberLoss",
    "Jitted",
    "Layer",
    "MAELoss",
    "MSELoss",
    "StatefulModel",
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
__all__ += layers.__all__

_LATER = {
    "Jitted": "portanet.tracing.jit",
    "jit": "portanet.tracing.jit",
    "show_versions": "portanet.versions",
}
"""Names whose modules are loaded when they are first used: who only predicts needs none of them."""


def __getattr__(name: str) -> _typing.Any:
    if name in ("optimizers", "testing", "training"):
        return _importlib.import_module(f"portanet.{name}")
    if name in _LATER:
        value = globals()[name] = getattr(_importlib.import_module(_LATER[name]), name)
        return value
    raise AttributeError(f"module 'portanet' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
