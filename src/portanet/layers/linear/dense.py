"""Layers that are linear before their activation."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import KW_ONLY, dataclass
from typing import Any

import numpy as np

from portanet import checks
from portanet.core import Layer, call_resolved, last_size, sized_by_input
from portanet.functional import identity, linear
from portanet.initializers import gain, kaiming_uniform, ones, zeros
from portanet.interface import array_namespace
from portanet.layers._weights import bias_of, symmetric

_OF_ONE_LIBRARY: set[tuple[type, type]] = set()
"""Classes of inputs and weights that have met: plain and traced arrays of one library."""


@sized_by_input(in_features=last_size)
@dataclass(frozen=True)
class Dense(Layer):
    """A fully connected layer: ``y = activation(x Wᵀ + b)``.

    Parameters
    ----------
    in_features, out_features : int
        Sizes of the last axis before and after. With None for `in_features` it is that of the
        input, see `portanet.resolve`.
    activation : callable
        Applied to the result.
    use_bias : bool
        Whether there is a bias.
    init_weight : initializer, optional
        By default Kaiming's uniform distribution with the gain of the activation,
        ``± gain · √3 / √in_features`` [1]_.
    init_bias : initializer, optional
        By default uniform in ``± 1 / √in_features``.

    Notes
    -----
    Input: floating array of shape (..., in_features), of the dtype of the weight.
    Output: (..., out_features).

    Parameter tree: ``weight`` (out_features, in_features) and, with a bias, ``bias``
    (out_features,). State tree: empty.

    Raises
    ------
    HyperparameterError
        If a size is not a positive integer, or a function cannot be called.
    ShapeError, DTypeError, DeviceError, BackendMismatchError
        In the call, if the input does not fit the parameters.

    References
    ----------
    .. [1] He, Zhang, Ren and Sun, "Delving Deep into Rectifiers", ICCV 2015.

    Examples
    --------
    >>> import numpy as np
    >>> import portanet as pn
    >>> model = pn.Dense(10, 5, pn.relu)
    >>> ps, st = pn.setup(np.random.default_rng(0), model)
    >>> ps["weight"].shape, ps["bias"].shape
    ((5, 10), (5,))
    >>> y, st = model(np.ones((2, 10), np.float32), ps, st)
    >>> y.shape, y.dtype
    ((2, 5), dtype('float32'))
    """

    in_features: checks.Size
    out_features: int
    activation: Callable[[Any], Any] = identity
    _: KW_ONLY
    use_bias: bool = True
    init_weight: Callable[..., np.ndarray] | None = None
    init_bias: Callable[..., np.ndarray] | None = None

    def __post_init__(self) -> None:
        checks.optional_integers(self, "in_features")
        checks.integers(self, "out_features")
        checks.functions(self, "activation")
        checks.flags(self, "use_bias")
        checks.optional_functions(self, "init_weight", "init_bias")

    def initial_parameters(self, rng: np.random.Generator) -> dict[str, Any]:
        init_weight = self.init_weight or kaiming_uniform(gain=gain(self.activation))
        parameters = {"weight": init_weight(rng, (self.out_features, self.in_features))}
        if self.use_bias:
            init_bias = self.init_bias or symmetric(self.in_features)
            parameters["bias"] = init_bias(rng, (self.out_features,))
        return parameters

    def __call__(self, x: Any, ps: Any, st: Any) -> tuple[Any, Any]:
        # What `_check` finds out, at once, as long as everything is as it mostly is. NumPy has
        # one device, and dtypes that are equal are mostly one object.
        try:
            weight = ps["weight"]
            bias = ps["bias"] if self.use_bias else None
            like = weight if bias is None else bias
            fits = (
                (type(x) is type(weight) or (type(x), type(weight)) in _OF_ONE_LIBRARY)
                and type(weight) is type(like)
                and x.dtype is weight.dtype is like.dtype
                and (type(x) is np.ndarray or x.device == weight.device == like.device)
                and x.shape[-1] == self.in_features
                and weight.shape == (self.out_features, self.in_features)
                and (bias is None or bias.shape == (self.out_features,))
            )
        except Exception:  # `_check` says what is wrong
            fits = False
        if not fits:
            if self.in_features is None:
                return call_resolved(self, x, ps, st)
            self._check(x, ps)
            weight, bias = ps["weight"], ps["bias"] if self.use_bias else None
            _OF_ONE_LIBRARY.add((type(x), type(weight)))
        return self.activation(linear(x, weight, bias)), st

    def _check(self, x: Any, ps: Any) -> None:
        shape = self.out_features, self.in_features
        weight = checks.member(ps, "weight", shape, "(out_features, in_features)")
        bias_of(self, ps, weight, (self.out_features,), "(out_features,)")
        checks.last_axis("x", x, self.in_features, "in_features")
        checks.same_kind("x", x, "weight", weight)


@sized_by_input(shape=lambda x: (last_size(x),))
@dataclass(frozen=True)
class Scale(Layer):
    """A diagonal layer: ``y = activation(weight * x + bias)``, elementwise.

    Parameters
    ----------
    shape : int or tuple of int
        The last axes of the input, each entry of which has its own weight and bias. With None it
        is the last axis alone, see `portanet.resolve`.
    activation : callable
        Applied to the result.
    use_bias : bool
        Whether there is a bias.
    init_weight, init_bias : initializer, optional
        By default ones and zeros: the layer starts as the activation alone.

    Notes
    -----
    Input and output: floating array of shape ``(..., *shape)``.

    Parameter tree: ``weight`` and, with a bias, ``bias``, both of `shape`. State tree: empty.

    Raises
    ------
    HyperparameterError
        If a size is not a positive integer, or a function cannot be called.
    ShapeError, DTypeError, DeviceError, BackendMismatchError
        In the call, if the input does not fit the parameters.

    Examples
    --------
    >>> import numpy as np
    >>> import portanet as pn
    >>> model = pn.Scale(3)
    >>> ps, st = pn.setup(np.random.default_rng(0), model)
    >>> model(np.asarray([1.0, 2.0, 3.0], np.float32), ps, st)[0]
    array([1., 2., 3.], dtype=float32)
    """

    shape: checks.Sizes
    activation: Callable[[Any], Any] = identity
    _: KW_ONLY
    use_bias: bool = True
    init_weight: Callable[..., np.ndarray] | None = None
    init_bias: Callable[..., np.ndarray] | None = None

    def __post_init__(self) -> None:
        checks.optional_sizes(self, "shape")
        checks.functions(self, "activation")
        checks.optional_functions(self, "init_weight", "init_bias")
        checks.flags(self, "use_bias")

    def initial_parameters(self, rng: np.random.Generator) -> dict[str, Any]:
        parameters = {"weight": (self.init_weight or ones())(rng, self.shape)}
        if self.use_bias:
            parameters["bias"] = (self.init_bias or zeros())(rng, self.shape)
        return parameters

    def __call__(self, x: Any, ps: Any, st: Any) -> tuple[Any, Any]:
        if self.shape is None:
            return call_resolved(self, x, ps, st)
        weight = checks.member(ps, "weight", self.shape, "shape")
        bias = bias_of(self, ps, weight, self.shape, "shape")
        checks.last_axes("x", x, self.shape, "shape")
        checks.same_kind("x", x, "weight", weight)
        xp = array_namespace(x, weight)
        y = xp.multiply(x, weight)
        return self.activation(y if bias is None else xp.add(y, bias)), st
