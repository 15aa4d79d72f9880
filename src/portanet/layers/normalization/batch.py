"""Layers that normalise channels, and keep their statistics for prediction."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import KW_ONLY, dataclass
from typing import Any, ClassVar

import numpy as np

from portanet import checks
from portanet.core import Layer, call_resolved, last_size, sized_by_input
from portanet.errors import ShapeError
from portanet.functional import batch_norm, identity, instance_norm
from portanet.interface import array_namespace
from portanet.layers.normalization._affine import affine_parameters, initial_affine


@sized_by_input(features=last_size)
@dataclass(frozen=True)
class BatchNorm(Layer):
    """Batch normalisation: each channel over all axes but the last [1]_.

    ``y = activation((x - mean) / √(variance + epsilon) * scale + bias)``

    In training mode with the mean and the biased variance of the batch; in test mode with running
    averages of both.

    Parameters
    ----------
    features : int
        Channels: the size of the last axis. With None it is that of the input.
    activation : callable
        Applied to the result.
    affine : bool
        Whether there are a scale and a bias.
    track_stats : bool
        Whether running statistics are kept. Without them the batch's are used in both modes.
    epsilon : float
        Added to the variance.
    momentum : float or None
        How much of a running statistic one batch replaces:
        ``running = (1 - momentum) * running + momentum * batch``. With None it is the average of
        all batches so far.
    init_scale, init_bias : initializer, optional
        By default ones and zeros.

    Notes
    -----
    Input and output: real floating array of shape (N, ..., features).

    Parameter tree: ``scale`` and ``bias``, both (features,), or empty. State tree:
    ``running_mean`` and ``running_var``, both (features,), where they are tracked; with a momentum
    of None also ``batches``, how many there were, an int32 of shape (1,); and ``training``. The
    running variance averages the unbiased variance of the batches. The running statistics carry no
    derivative; beside an input of 16 bits they may be in float32.

    Raises
    ------
    HyperparameterError
        If a hyperparameter is outside its domain.
    ShapeError
        In the call, if the input does not fit, or the batch has only one value a channel.
    DTypeError, DeviceError, BackendMismatchError
        In the call, if the input does not fit the parameters.

    References
    ----------
    .. [1] Ioffe and Szegedy, "Batch Normalization: Accelerating Deep Network Training by Reducing
       Internal Covariate Shift", ICML 2015.

    Examples
    --------
    >>> import numpy as np
    >>> import portanet as pn
    >>> model = pn.BatchNorm(1, epsilon=0.0)
    >>> ps, st = pn.setup(np.random.default_rng(0), model)
    >>> y, st = model(np.asarray([[1.0], [3.0]], np.float32), ps, st)
    >>> y
    array([[-1.],
           [ 1.]], dtype=float32)
    >>> st["running_mean"], st["running_var"]
    (array([0.2], dtype=float32), array([1.1], dtype=float32))
    """

    wide_parameters: ClassVar[bool] = True

    features: checks.Size
    activation: Callable[[Any], Any] = identity
    _: KW_ONLY
    affine: bool = True
    track_stats: bool = True
    epsilon: float = 1e-5
    momentum: float | None = 0.1
    init_scale: Callable[..., np.ndarray] | None = None
    init_bias: Callable[..., np.ndarray] | None = None

    def __post_init__(self) -> None:
        _check(self)

    def initial_parameters(self, rng: np.random.Generator) -> dict[str, Any]:
        return initial_affine(self, rng, (self.features,))

    def initial_states(self, rng: np.random.Generator) -> dict[str, Any]:
        return _initial_statistics(self)

    def __call__(self, x: Any, ps: Any, st: Any) -> tuple[Any, Any]:
        checks.rank_at_least("x", x, 2)
        return normalized(self, batch_norm, "batch", checks.product(x.shape[:-1]), x, ps, st)


@sized_by_input(features=last_size)
@dataclass(frozen=True)
class InstanceNorm(Layer):
    """Instance normalisation: each channel of each sample over its space [1]_.

    ``y = activation((x - mean) / √(variance + epsilon) * scale + bias)``

    With the mean and the biased variance of the sample, in both modes; with tracked statistics, in
    test mode with running averages of them.

    Parameters
    ----------
    features : int
        Channels: the size of the last axis. With None it is that of the input.
    activation : callable
        Applied to the result.
    affine : bool
        Whether there are a scale and a bias.
    track_stats : bool
        Whether running statistics are kept, for test mode.
    epsilon : float
        Added to the variance.
    momentum : float or None
        How much of a running statistic one batch replaces:
        ``running = (1 - momentum) * running + momentum * batch``. With None it is the average of
        all batches so far.
    init_scale, init_bias : initializer, optional
        By default ones and zeros.

    Notes
    -----
    Input and output: real floating array of shape ``(N, *space, features)``, with at least one axis
    of space.

    Parameter tree: ``scale`` and ``bias``, both (features,), or empty. State tree: ``training``
    and, where statistics are tracked, ``running_mean`` and ``running_var``, both (features,),
    which average the means and the unbiased variances of the samples; with a momentum of None also
    ``batches``, how many there were, an int32 of shape (1,). They carry no derivative;
    beside an input of 16 bits they may be in float32.

    Raises
    ------
    HyperparameterError
        If a hyperparameter is outside its domain.
    ShapeError
        In the call, if the input does not fit, if a sample has only one value a channel, or if
        statistics are tracked of a batch without samples.
    DTypeError, DeviceError, BackendMismatchError
        In the call, if the input does not fit the parameters.

    References
    ----------
    .. [1] Ulyanov, Vedaldi and Lempitsky, "Instance Normalization: The Missing Ingredient for
       Fast Stylization", arXiv:1607.08022, 2016.

    Examples
    --------
    >>> import numpy as np
    >>> import portanet as pn
    >>> model = pn.InstanceNorm(1, epsilon=0.0)
    >>> ps, st = pn.setup(np.random.default_rng(0), model)
    >>> x = np.asarray([[[1.0], [3.0]], [[0.0], [8.0]]], np.float32)
    >>> model(x, ps, st)[0].tolist()
    [[[-1.0], [1.0]], [[-1.0], [1.0]]]
    """

    wide_parameters: ClassVar[bool] = True

    features: checks.Size
    activation: Callable[[Any], Any] = identity
    _: KW_ONLY
    affine: bool = False
    track_stats: bool = False
    epsilon: float = 1e-5
    momentum: float | None = 0.1
    init_scale: Callable[..., np.ndarray] | None = None
    init_bias: Callable[..., np.ndarray] | None = None

    def __post_init__(self) -> None:
        _check(self)

    def initial_parameters(self, rng: np.random.Generator) -> dict[str, Any]:
        return initial_affine(self, rng, (self.features,))

    def initial_states(self, rng: np.random.Generator) -> dict[str, Any]:
        return _initial_statistics(self)

    def __call__(self, x: Any, ps: Any, st: Any) -> tuple[Any, Any]:
        checks.rank_at_least("x", x, 3)
        values = checks.product(x.shape[1:-1])
        if self.track_stats and x.shape[0] == 0:
            values = 0
        return normalized(self, instance_norm, "image", values, x, ps, st)


def _check(layer: BatchNorm | InstanceNorm) -> None:
    checks.optional_integers(layer, "features")
    checks.functions(layer, "activation")
    checks.optional_functions(layer, "init_scale", "init_bias")
    checks.flags(layer, "affine", "track_stats")
    checks.non_negative(layer, "epsilon")
    if layer.momentum is not None:
        checks.probabilities(layer, "momentum")


def _initial_statistics(layer: BatchNorm | InstanceNorm) -> dict[str, Any]:
    if not layer.track_stats:
        return {"training": True}
    count = {} if layer.momentum is not None else {"batches": np.zeros(1, np.int32)}
    return {
        "running_mean": np.zeros(layer.features, np.float32),
        "running_var": np.ones(layer.features, np.float32),
        **count,
        "training": True,
    }


def normalized(
    layer: Any, normalize: Any, source: str, values: int | None, x: Any, ps: Any, st: Any
) -> tuple[Any, Any]:
    """Call a layer that takes each variance of `values` numbers of a `source`."""
    if layer.features is None:
        return call_resolved(layer, x, ps, st)
    checks.last_axis("x", x, layer.features, "features")
    scale, bias = affine_parameters(layer, x, ps, (layer.features,), "(features,)")
    training = checks.flag(st, "training")
    if values is None and training and layer.track_stats:
        raise ShapeError(
            f"values a channel, which correct the running variance, are known: x.shape is "
            f"{tuple(x.shape)}: give the library the sizes, or use pn.test_mode(st)"
        )
    if values is not None and values < 2 and (training or not layer.track_stats):
        raise ShapeError(
            f"values a channel >= 2: {values} < 2 for x.shape {tuple(x.shape)}: a variance needs "
            f"more than one value; use a larger {source}"
            + (", or pn.test_mode(st)" if layer.track_stats else "")
        )
    if not layer.track_stats:
        y, _, _ = normalize(x, scale, bias, epsilon=layer.epsilon)
        return layer.activation(y), st
    shape = (layer.features,)
    mean = checks.member(st, "running_mean", shape, "(features,)", "st")
    variance = checks.member(st, "running_var", shape, "(features,)", "st")
    checks.same_or_wide("x", x, "running_mean", mean)
    checks.alike("st", "running_var", variance, "running_mean", mean)
    cumulative = layer.momentum is None
    y, new_mean, new_variance = normalize(
        x, scale, bias, mean, variance,
        training=training, momentum=1.0 if cumulative else layer.momentum, epsilon=layer.epsilon,
    )  # fmt: skip
    if training and cumulative:
        count = checks.member(st, "batches", (1,), "(1,)", "st") + 1
        share = 1.0 / array_namespace(mean).astype(count, mean.dtype)
        new_mean = mean + share * (new_mean - mean)
        new_variance = variance + share * (new_variance - variance)
        st = {**st, "batches": count}
    if training:
        st = {**st, "running_mean": new_mean, "running_var": new_variance}
    return layer.activation(y), st
