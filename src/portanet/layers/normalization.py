"""Layers that normalise by a mean and a variance."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import KW_ONLY, dataclass
from typing import Any

import numpy as np

from portanet import checks
from portanet.core import Layer
from portanet.errors import ShapeError
from portanet.functional import batch_norm, identity, layer_norm
from portanet.initializers import ones, zeros


@dataclass(frozen=True)
class BatchNorm(Layer):
    """Batch normalisation: each channel over all axes but the last [1]_.

    ``y = activation((x - mean) / √(variance + epsilon) * scale + bias)``

    In training mode with the mean and the biased variance of the batch; in test mode with running
    averages of both.

    Parameters
    ----------
    features : int
        Channels: the size of the last axis.
    activation : callable
        Applied to the result.
    affine : bool
        Whether there are a scale and a bias.
    track_stats : bool
        Whether running statistics are kept. Without them the batch's are used in both modes.
    epsilon : float
        Added to the variance.
    momentum : float
        How much of a running statistic one batch replaces:
        ``running = (1 - momentum) * running + momentum * batch``.
    init_scale, init_bias : initializer, optional
        By default ones and zeros.

    Notes
    -----
    Input and output: real floating array of shape (N, ..., features).

    Parameter tree: ``scale`` and ``bias``, both (features,), or empty. State tree:
    ``running_mean`` and ``running_var``, both (features,), where they are tracked, and
    ``training``. The running variance averages the unbiased variance of the batches. The running
    statistics carry no derivative.

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

    features: int
    activation: Callable[[Any], Any] = identity
    _: KW_ONLY
    affine: bool = True
    track_stats: bool = True
    epsilon: float = 1e-5
    momentum: float = 0.1
    init_scale: Callable[..., np.ndarray] | None = None
    init_bias: Callable[..., np.ndarray] | None = None

    def __post_init__(self) -> None:
        checks.integers(self, "features")
        checks.functions(self, "activation")
        checks.optional_functions(self, "init_scale", "init_bias")
        checks.flags(self, "affine", "track_stats")
        checks.non_negative(self, "epsilon")
        checks.probabilities(self, "momentum")

    def initial_parameters(self, rng: np.random.Generator) -> dict[str, Any]:
        return _initial_affine(self, rng, (self.features,))

    def initial_states(self, rng: np.random.Generator) -> dict[str, Any]:
        if not self.track_stats:
            return {"training": True}
        return {
            "running_mean": np.zeros(self.features, np.float32),
            "running_var": np.ones(self.features, np.float32),
            "training": True,
        }

    def __call__(self, x: Any, ps: Any, st: Any) -> tuple[Any, Any]:
        checks.rank_at_least("x", x, 2)
        checks.last_axis("x", x, self.features, "features")
        scale, bias = _affine_parameters(self, x, ps, (self.features,), "(features,)")
        training = checks.entry(st, "training", "st")
        if training or not self.track_stats:
            _check_batch(x)
        if not self.track_stats:
            y, _, _ = batch_norm(x, scale, bias, epsilon=self.epsilon)
            return self.activation(y), st
        shape = (self.features,)
        mean = checks.member(st, "running_mean", shape, "(features,)", "st")
        variance = checks.member(st, "running_var", shape, "(features,)", "st")
        checks.same_kind("x", x, "running_mean", mean)
        checks.alike("st", "running_var", variance, "running_mean", mean)
        y, mean, variance = batch_norm(
            x, scale, bias, mean, variance,
            training=training, momentum=self.momentum, epsilon=self.epsilon,
        )  # fmt: skip
        if training:
            st = {**st, "running_mean": mean, "running_var": variance}
        return self.activation(y), st


@dataclass(frozen=True)
class LayerNorm(Layer):
    """Layer normalisation: each sample over its feature axes [1]_.

    ``y = activation((x - mean) / √(variance + epsilon) * scale + bias)``

    Parameters
    ----------
    shape : int or tuple of int
        The last axes of the input, over which the mean and the variance are taken.
    activation : callable
        Applied to the result.
    affine : bool
        Whether there are a scale and a bias.
    epsilon : float
        Added to the variance.
    init_scale, init_bias : initializer, optional
        By default ones and zeros.

    Notes
    -----
    Input and output: real floating array of shape ``(..., *shape)``.

    Parameter tree: ``scale`` and ``bias``, both of `shape`, or empty. State tree: empty. Both
    modes compute the same.

    The statistics are those of one sample, as in the paper. (Lux's layer takes them over the whole
    array by default, the batch included.)

    Raises
    ------
    HyperparameterError
        If a hyperparameter is outside its domain.
    ShapeError, DTypeError, DeviceError, BackendMismatchError
        In the call, if the input does not fit the parameters.

    References
    ----------
    .. [1] Ba, Kiros and Hinton, "Layer Normalization", arXiv:1607.06450, 2016.

    Examples
    --------
    >>> import numpy as np
    >>> import portanet as pn
    >>> model = pn.LayerNorm(2, epsilon=0.0)
    >>> ps, st = pn.setup(np.random.default_rng(0), model)
    >>> model(np.asarray([[1.0, 3.0], [8.0, 0.0]], np.float32), ps, st)[0]
    array([[-1.,  1.],
           [ 1., -1.]], dtype=float32)
    """

    shape: checks.Sizes
    activation: Callable[[Any], Any] = identity
    _: KW_ONLY
    affine: bool = True
    epsilon: float = 1e-5
    init_scale: Callable[..., np.ndarray] | None = None
    init_bias: Callable[..., np.ndarray] | None = None

    def __post_init__(self) -> None:
        checks.sizes(self, "shape")
        checks.functions(self, "activation")
        checks.optional_functions(self, "init_scale", "init_bias")
        checks.flags(self, "affine")
        checks.non_negative(self, "epsilon")

    def initial_parameters(self, rng: np.random.Generator) -> dict[str, Any]:
        return _initial_affine(self, rng, self.shape)

    def __call__(self, x: Any, ps: Any, st: Any) -> tuple[Any, Any]:
        checks.last_axes("x", x, self.shape, "shape")
        scale, bias = _affine_parameters(self, x, ps, self.shape, "shape")
        rank = len(self.shape)
        return self.activation(layer_norm(x, scale, bias, rank=rank, epsilon=self.epsilon)), st


def _initial_affine(layer: Any, rng: np.random.Generator, shape: tuple[int, ...]) -> dict[str, Any]:
    if not layer.affine:
        return {}
    return {
        "scale": (layer.init_scale or ones())(rng, shape),
        "bias": (layer.init_bias or zeros())(rng, shape),
    }


def _affine_parameters(
    layer: Any, x: Any, ps: Any, shape: tuple[int, ...], relation: str
) -> tuple[Any, Any]:
    if not layer.affine:
        checks.floating("x", x)
        return None, None
    scale = checks.member(ps, "scale", shape, relation)
    bias = checks.member(ps, "bias", shape, relation)
    checks.same_kind("x", x, "scale", scale)
    checks.alike("ps", "bias", bias, "scale", scale)
    return scale, bias


def _check_batch(x: Any) -> None:
    n = math.prod(x.shape[:-1])
    if n < 2:
        raise ShapeError(
            f"values a channel >= 2: {n} < 2 for x.shape {tuple(x.shape)}: a variance needs more "
            "than one value; use a larger batch, or pn.test_mode(st)"
        )
