"""Normalisation of each sample over space and groups of channels."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import KW_ONLY, dataclass
from typing import Any, ClassVar

import numpy as np

from portanet import checks
from portanet.core import Layer, call_resolved, last_size, sized_by_input
from portanet.functional import group_norm, identity
from portanet.layers.normalization._affine import affine_parameters, initial_affine


@sized_by_input(features=last_size)
@dataclass(frozen=True)
class GroupNorm(Layer):
    """Group normalisation: each sample over its space and groups of its channels [1]_.

    ``y = activation((x - mean) / √(variance + epsilon) * scale + bias)``

    Parameters
    ----------
    features : int
        Channels: the size of the last axis. With None it is that of the input.
    groups : int
        How many groups of neighbouring channels there are; it divides `features`. With one group,
        all that a sample has is normalised together.
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
    Input and output: real floating array of shape (N, ..., features).

    Parameter tree: ``scale`` and ``bias``, both (features,), or empty. State tree: empty. Both
    modes compute the same.

    Raises
    ------
    HyperparameterError
        If a hyperparameter is outside its domain, or `groups` does not divide `features`.
    ShapeError, DTypeError, DeviceError, BackendMismatchError
        In the call, if the input does not fit the parameters.

    References
    ----------
    .. [1] Wu and He, "Group Normalization", ECCV 2018.

    Examples
    --------
    >>> import numpy as np
    >>> import portanet as pn
    >>> model = pn.GroupNorm(4, 2, epsilon=0.0)
    >>> ps, st = pn.setup(np.random.default_rng(0), model)
    >>> model(np.asarray([[1.0, 3.0, 5.0, 9.0]], np.float32), ps, st)[0]
    array([[-1.,  1., -1.,  1.]], dtype=float32)
    """

    wide_parameters: ClassVar[bool] = True

    features: checks.Size
    groups: int
    activation: Callable[[Any], Any] = identity
    _: KW_ONLY
    affine: bool = True
    epsilon: float = 1e-5
    init_scale: Callable[..., np.ndarray] | None = None
    init_bias: Callable[..., np.ndarray] | None = None

    def __post_init__(self) -> None:
        checks.optional_integers(self, "features")
        checks.integers(self, "groups")
        checks.functions(self, "activation")
        checks.optional_functions(self, "init_scale", "init_bias")
        checks.flags(self, "affine")
        checks.non_negative(self, "epsilon")
        if self.features is not None and self.features % self.groups:
            checks.refuse(self, "groups divides features", (self.groups, self.features))

    def initial_parameters(self, rng: np.random.Generator) -> dict[str, Any]:
        return initial_affine(self, rng, (self.features,))

    def __call__(self, x: Any, ps: Any, st: Any) -> tuple[Any, Any]:
        checks.rank_at_least("x", x, 2)
        if self.features is None:
            return call_resolved(self, x, ps, st)
        checks.last_axis("x", x, self.features, "features")
        scale, bias = affine_parameters(self, x, ps, (self.features,), "(features,)")
        y = group_norm(x, scale, bias, groups=self.groups, epsilon=self.epsilon)
        return self.activation(y), st
