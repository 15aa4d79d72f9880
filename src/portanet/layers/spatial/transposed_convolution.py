"""The transpose of a convolution."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import KW_ONLY, dataclass
from typing import Any

import numpy as np

from portanet import checks
from portanet.core import Layer, call_resolved, last_size, sized_by_input
from portanet.functional import conv_transpose, identity
from portanet.functional.spatial.geometry import Padding, Sizes
from portanet.initializers import gain, uniform
from portanet.layers.spatial import _windows
from portanet.layers.spatial._convolution import check_options, checked, fan_in, parameters_of


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
        check_options(self)
        _windows.each_axis(self, len(self.window), "output_padding", minimum=0)

    @property
    def _weight_shape(self) -> tuple[int, ...]:
        return (*self.window, self.out_channels // self.groups, self.in_channels)

    def initial_parameters(self, rng: np.random.Generator) -> dict[str, Any]:
        bound = gain(self.activation) * math.sqrt(3 / fan_in(self))
        return parameters_of(self, rng, self.init_weight or uniform(-bound, bound))

    def __call__(self, x: Any, ps: Any, st: Any) -> tuple[Any, Any]:
        if self.in_channels is None:
            return call_resolved(self, x, ps, st)
        relation = "(*window, out_channels / groups, in_channels)"
        weight, bias = checked(self, x, ps, relation)
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
