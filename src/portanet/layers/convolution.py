"""Convolution and its transpose over any number of axes."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import KW_ONLY, dataclass
from typing import Any

import numpy as np

from portanet import checks
from portanet.core import Layer, call_resolved, last_size, sized_by_input
from portanet.functional import conv, conv_transpose, identity
from portanet.functional.geometry import Padding, Sizes
from portanet.initializers import gain, kaiming_uniform, uniform
from portanet.layers import _windows
from portanet.layers._weights import bias_of, symmetric


@sized_by_input(in_channels=last_size)
@sized_by_input(in_channels=last_size)
@dataclass(frozen=True)
class Conv(Layer):
    """A convolution over any number of axes: ``y = activation(x * W + b)``.

    It is the cross-correlation that the field calls convolution: the window is not turned over.

    Parameters
    ----------
    window : tuple of int
        The size of the window along each axis; their number is that of the spatial axes. A single
        integer is a window along one axis.
    in_channels, out_channels : int
        Sizes of the last axis before and after. With None for `in_channels` it is that of the
        input.
    activation : callable
        Applied to the result.
    stride, dilation : int or tuple of int
        The steps between windows, and between the entries of one, for each axis.
    padding : int, tuple of int or of pairs, "same" or "valid"
        The zeros around the input; with ``"same"`` the output has the size of the input divided
        by the stride and rounded up, with ``"valid"`` there are none.
    groups : int
        The channels are cut into so many groups that do not mix. With `in_channels` of them the
        convolution is depthwise.
    use_bias : bool
        Whether there is a bias.
    init_weight : initializer, optional
        By default Kaiming's uniform distribution with the gain of the activation,
        ``± gain · √3 / √fan_in``, where `fan_in` is the entries of a window times
        ``in_channels / groups`` [1]_.
    init_bias : initializer, optional
        By default uniform in ``± 1 / √fan_in``.

    Notes
    -----
    Input: floating array of shape ``(N, *spatial, in_channels)``, of the dtype of the weight.
    Output: ``(N, *output, out_channels)``, along each axis
    ``(n + padding - dilation * (window - 1) - 1) // stride + 1`` entries.

    Parameter tree: ``weight`` ``(*window, in_channels / groups, out_channels)`` and, with a bias,
    ``bias`` (out_channels,). State tree: empty.

    Raises
    ------
    HyperparameterError
        If an option is out of its domain, or `groups` does not divide both numbers of channels.
    ShapeError, DTypeError, DeviceError, BackendMismatchError
        In the call, if the input does not fit the parameters, or the window is larger than the
        padded input.

    References
    ----------
    .. [1] He, Zhang, Ren and Sun, "Delving Deep into Rectifiers", ICCV 2015.

    Examples
    --------
    >>> import numpy as np
    >>> import portanet as pn
    >>> model = pn.Conv((5, 5), 1, 6, pn.relu, padding="same")
    >>> ps, st = pn.setup(np.random.default_rng(0), model)
    >>> ps["weight"].shape, ps["bias"].shape
    ((5, 5, 1, 6), (6,))
    >>> y, st = model(np.ones((2, 28, 28, 1), np.float32), ps, st)
    >>> y.shape, y.dtype
    ((2, 28, 28, 6), dtype('float32'))
    """

    window: checks.Sizes
    in_channels: checks.Size
    out_channels: int
    activation: Callable[[Any], Any] = identity
    _: KW_ONLY
    stride: Sizes = 1
    padding: Padding = 0
    dilation: Sizes = 1
    groups: int = 1
    use_bias: bool = True
    init_weight: Callable[..., np.ndarray] | None = None
    init_bias: Callable[..., np.ndarray] | None = None

    def __post_init__(self) -> None:
        _check_options(self)

    @property
    def _weight_shape(self) -> tuple[int, ...]:
        return (*self.window, self.in_channels // self.groups, self.out_channels)

    def initial_parameters(self, rng: np.random.Generator) -> dict[str, Any]:
        init_weight = self.init_weight or kaiming_uniform(gain=gain(self.activation))
        return _parameters(self, rng, init_weight)

    def __call__(self, x: Any, ps: Any, st: Any) -> tuple[Any, Any]:
        if self.in_channels is None:
            return call_resolved(self, x, ps, st)
        if self.in_channels is None:
            return call_resolved(self, x, ps, st)
        relation = "(*window, in_channels / groups, out_channels)"
        weight, bias = _checked(self, x, ps, relation)
        y = conv(
            x,
            weight,
            bias,
            stride=self.stride,
            padding=self.padding,
            dilation=self.dilation,
            groups=self.groups,
        )
        return self.activation(y), st


@sized_by_input(in_channels=last_size)
@sized_by_input(in_channels=last_size)
@dataclass(frozen=True)
class ConvTranspose(Layer):
    """A transposed convolution: the map that takes the derivative of `Conv` back to its input.

    It undoes the change of shape of the convolution with the same options, and is used to make
    images larger.

    Parameters
    ----------
    window : tuple of int
        The size of the window along each axis; their number is that of the spatial axes. A single
        integer is a window along one axis.
    in_channels, out_channels : int
        Sizes of the last axis before and after. With None for `in_channels` it is that of the
        input.
    activation : callable
        Applied to the result.
    stride, dilation : int or tuple of int
        The steps between the windows of the output, and between the entries of one.
    padding : int, tuple of int or of pairs, "same" or "valid"
        What is cut off the ends of the output; with ``"same"`` it has the size of the input times
        the stride, with ``"valid"`` nothing is cut off.
    output_padding : int or tuple of int
        Entries added after each axis, fewer than the stride: of the sizes whose convolution has
        the size of the input, which one it is.
    groups : int
        The channels are cut into so many groups that do not mix.
    use_bias : bool
        Whether there is a bias.
    init_weight : initializer, optional
        Called with the shape of the weight. By default uniform in ``± gain · √3 / √fan_in``,
        where `fan_in` is the entries of a window times ``in_channels / groups`` [1]_.
    init_bias : initializer, optional
        By default uniform in ``± 1 / √fan_in``.

    Notes
    -----
    Input: floating array of shape ``(N, *spatial, in_channels)``, of the dtype of the weight.
    Output: ``(N, *output, out_channels)``, along each axis
    ``(n - 1) * stride + dilation * (window - 1) + 1 - padding + output_padding`` entries.

    Parameter tree: ``weight`` ``(*window, out_channels / groups, in_channels)`` and, with a bias,
    ``bias`` (out_channels,). State tree: empty.

    Raises
    ------
    HyperparameterError
        If an option is out of its domain, or `groups` does not divide both numbers of channels.
    ShapeError, DTypeError, DeviceError, BackendMismatchError
        In the call, if the input does not fit the parameters, or nothing is left of the output.

    References
    ----------
    .. [1] He, Zhang, Ren and Sun, "Delving Deep into Rectifiers", ICCV 2015.

    Examples
    --------
    >>> import numpy as np
    >>> import portanet as pn
    >>> model = pn.ConvTranspose((4, 4), 3, 2, stride=2, padding=1)
    >>> ps, st = pn.setup(np.random.default_rng(0), model)
    >>> y, st = model(np.ones((1, 8, 8, 3), np.float32), ps, st)
    >>> y.shape, ps["weight"].shape
    ((1, 16, 16, 2), (4, 4, 2, 3))
    """

    window: checks.Sizes
    in_channels: checks.Size
    out_channels: int
    activation: Callable[[Any], Any] = identity
    _: KW_ONLY
    stride: Sizes = 1
    padding: Padding = 0
    output_padding: Sizes = 0
    dilation: Sizes = 1
    groups: int = 1
    use_bias: bool = True
    init_weight: Callable[..., np.ndarray] | None = None
    init_bias: Callable[..., np.ndarray] | None = None

    def __post_init__(self) -> None:
        _check_options(self)
        _windows.each_axis(self, len(self.window), "output_padding", minimum=0)

    @property
    def _weight_shape(self) -> tuple[int, ...]:
        return (*self.window, self.out_channels // self.groups, self.in_channels)

    def initial_parameters(self, rng: np.random.Generator) -> dict[str, Any]:
        bound = gain(self.activation) * math.sqrt(3 / _fan_in(self))
        return _parameters(self, rng, self.init_weight or uniform(-bound, bound))

    def __call__(self, x: Any, ps: Any, st: Any) -> tuple[Any, Any]:
        if self.in_channels is None:
            return call_resolved(self, x, ps, st)
        if self.in_channels is None:
            return call_resolved(self, x, ps, st)
        relation = "(*window, out_channels / groups, in_channels)"
        weight, bias = _checked(self, x, ps, relation)
        y = conv_transpose(
            x,
            weight,
            bias,
            stride=self.stride,
            padding=self.padding,
            output_padding=self.output_padding,
            dilation=self.dilation,
            groups=self.groups,
        )
        return self.activation(y), st


def _check_options(layer: Conv | ConvTranspose) -> None:
    checks.sizes(layer, "window")
    checks.optional_integers(layer, "in_channels")
    checks.integers(layer, "out_channels", "groups")
    rank = len(layer.window)
    _windows.each_axis(layer, rank, "stride", "dilation")
    _windows.padding(layer, rank)
    for name in ("in_channels", "out_channels"):
        if (getattr(layer, name) or 0) % layer.groups:
            relation = f"{name} % groups == 0, where groups is {layer.groups}"
            checks.refuse(layer, relation, getattr(layer, name))
    checks.functions(layer, "activation")
    checks.flags(layer, "use_bias")
    checks.optional_functions(layer, "init_weight", "init_bias")


def _fan_in(layer: Conv | ConvTranspose) -> int:
    return math.prod(layer.window) * (layer.in_channels // layer.groups)


def _parameters(
    layer: Conv | ConvTranspose, rng: np.random.Generator, init_weight: Callable[..., np.ndarray]
) -> dict[str, Any]:
    parameters = {"weight": init_weight(rng, layer._weight_shape)}
    if layer.use_bias:
        init_bias = layer.init_bias or symmetric(_fan_in(layer))
        parameters["bias"] = init_bias(rng, (layer.out_channels,))
    return parameters


def _checked(layer: Conv | ConvTranspose, x: Any, ps: Any, relation: str) -> tuple[Any, Any]:
    """Return the weight and the bias, which fit the layer and the input."""
    weight = checks.member(ps, "weight", layer._weight_shape, relation)
    bias = bias_of(layer, ps, weight, (layer.out_channels,), "(out_channels,)")
    _windows.images(x, len(layer.window))
    checks.last_axis("x", x, layer.in_channels, "in_channels")
    checks.same_kind("x", x, "weight", weight)
    return weight, bias
