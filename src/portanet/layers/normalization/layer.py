"""Layers that normalise each sample over its last axes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import KW_ONLY, dataclass
from typing import Any, ClassVar

import numpy as np

from portanet import checks
from portanet.core import Layer, call_resolved, last_size, sized_by_input
from portanet.functional import identity, layer_norm, rms_norm
from portanet.initializers import ones
from portanet.layers.normalization._affine import affine_parameters, initial_affine


@sized_by_input(shape=lambda x: (last_size(x),))
@dataclass(frozen=True)
class LayerNorm(Layer):
    """Layer normalisation: each sample over its feature axes [1]_.

    ``y = activation((x - mean) / √(variance + epsilon) * scale + bias)``

    Parameters
    ----------
    shape : int or tuple of int
        The last axes of the input, over which the mean and the variance are taken. With None it is
        the last one alone.
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

    wide_parameters: ClassVar[bool] = True

    shape: checks.Sizes
    activation: Callable[[Any], Any] = identity
    _: KW_ONLY
    affine: bool = True
    epsilon: float = 1e-5
    init_scale: Callable[..., np.ndarray] | None = None
    init_bias: Callable[..., np.ndarray] | None = None

    def __post_init__(self) -> None:
        checks.optional_sizes(self, "shape")
        checks.functions(self, "activation")
        checks.optional_functions(self, "init_scale", "init_bias")
        checks.flags(self, "affine")
        checks.non_negative(self, "epsilon")

    def initial_parameters(self, rng: np.random.Generator) -> dict[str, Any]:
        return initial_affine(self, rng, self.shape)

    def __call__(self, x: Any, ps: Any, st: Any) -> tuple[Any, Any]:
        if self.shape is None:
            return call_resolved(self, x, ps, st)
        checks.last_axes("x", x, self.shape, "shape")
        scale, bias = affine_parameters(self, x, ps, self.shape, "shape")
        rank = len(self.shape)
        return self.activation(layer_norm(x, scale, bias, rank=rank, epsilon=self.epsilon)), st


@sized_by_input(shape=lambda x: (last_size(x),))
@dataclass(frozen=True)
class RMSNorm(Layer):
    """Root mean square normalisation: each sample divided by its size [1]_.

    ``y = x / √(mean(x²) + epsilon) * scale`` over the last axes.

    Parameters
    ----------
    shape : int or tuple of int
        The last axes of the input, over which the mean is taken. With None it is the last one
        alone.
    affine : bool
        Whether there is a scale.
    epsilon : float
        Added to the mean square.
    init_scale : initializer, optional
        By default ones.

    Notes
    -----
    Input and output: real floating array of shape ``(..., *shape)``.

    Parameter tree: ``scale`` of `shape`, or empty. State tree: empty. Both modes compute the same.

    Raises
    ------
    HyperparameterError
        If a hyperparameter is outside its domain.
    ShapeError, DTypeError, DeviceError, BackendMismatchError
        In the call, if the input does not fit the parameters.

    References
    ----------
    .. [1] Zhang and Sennrich, "Root Mean Square Layer Normalization", NeurIPS 2019.

    Examples
    --------
    >>> import numpy as np
    >>> import portanet as pn
    >>> model = pn.RMSNorm(2, epsilon=0.0)
    >>> ps, st = pn.setup(np.random.default_rng(0), model)
    >>> model(np.asarray([[7.0, 1.0]], np.float32), ps, st)[0]
    array([[1.4, 0.2]], dtype=float32)
    """

    wide_parameters: ClassVar[bool] = True

    shape: checks.Sizes
    _: KW_ONLY
    affine: bool = True
    epsilon: float = 1e-5
    init_scale: Callable[..., np.ndarray] | None = None

    def __post_init__(self) -> None:
        checks.optional_sizes(self, "shape")
        checks.flags(self, "affine")
        checks.non_negative(self, "epsilon")
        checks.optional_functions(self, "init_scale")

    def initial_parameters(self, rng: np.random.Generator) -> dict[str, Any]:
        return {"scale": (self.init_scale or ones())(rng, self.shape)} if self.affine else {}

    def __call__(self, x: Any, ps: Any, st: Any) -> tuple[Any, Any]:
        if self.shape is None:
            return call_resolved(self, x, ps, st)
        checks.last_axes("x", x, self.shape, "shape")
        scale = None
        if self.affine:
            scale = checks.member(ps, "scale", self.shape, "shape")
            checks.same_or_wide("x", x, "scale", scale)
        else:
            checks.floating("x", x)
        return rms_norm(x, scale, rank=len(self.shape), epsilon=self.epsilon), st
