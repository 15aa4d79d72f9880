"""Convolution over any number of axes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import KW_ONLY, dataclass
from typing import Any

import numpy as np

from portanet import checks
from portanet.core import Layer, call_resolved, last_size, sized_by_input
from portanet.functional import conv, identity
from portanet.functional.spatial.geometry import Padding, Sizes
from portanet.initializers import gain, kaiming_uniform
from portanet.layers.spatial._convolution import check_options, checked, parameters_of


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
        check_options(self)

    @property
    def _weight_shape(self) -> tuple[int, ...]:
        return (*self.window, self.in_channels // self.groups, self.out_channels)

    def initial_parameters(self, rng: np.random.Generator) -> dict[str, Any]:
        init_weight = self.init_weight or kaiming_uniform(gain=gain(self.activation))
        return parameters_of(self, rng, init_weight)

    def __call__(self, x: Any, ps: Any, st: Any) -> tuple[Any, Any]:
        if self.in_channels is None:
            return call_resolved(self, x, ps, st)
        relation = "(*window, in_channels / groups, out_channels)"
        weight, bias = checked(self, x, ps, relation)
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
