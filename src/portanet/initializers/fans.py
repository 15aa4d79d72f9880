"""The sizes and gains that scale a weight to its place in the network.

========================  ======================  =======================
shape                     fan in                  fan out
========================  ======================  =======================
``(n,)``                  1                       n
``(out, in)``             in                      out
``(*window, in, out)``    ``prod(window) * in``   ``prod(window) * out``
========================  ======================  =======================
"""

from __future__ import annotations

import math
from collections.abc import Callable
from numbers import Integral
from typing import Any

from portanet import functional
from portanet.errors import ArgumentError, ShapeError, shown

_GAINS: dict[Callable[..., Any], float] = {
    functional.relu: math.sqrt(2.0),
    functional.tanh: 5.0 / 3.0,
    functional.leaky_relu: math.sqrt(2.0 / (1.0 + 0.01**2)),
    functional.selu: 3.0 / 4.0,
}


def gain(activation: Callable[..., Any] | None) -> float:
    """Return the factor by which weights before `activation` grow to keep the variance.

    Parameters
    ----------
    activation : callable or None
        ``pn.relu``: sqrt(2). ``pn.tanh``: 5/3. ``pn.leaky_relu``: sqrt(2 / (1 + 0.01²)).
        ``pn.selu``: 3/4. Any other, or None: 1.

    References
    ----------
    .. [1] K. He, X. Zhang, S. Ren, J. Sun, "Delving Deep into Rectifiers", ICCV 2015.
    .. [2] Y. LeCun, L. Bottou, G. B. Orr, K.-R. Müller, "Efficient BackProp", 1998.

    Examples
    --------
    >>> import portanet as pn
    >>> pn.initializers.gain(pn.relu)
    1.4142135623730951
    >>> pn.initializers.gain(lambda x: x)
    1.0
    """
    if activation is not None and not callable(activation):
        raise ArgumentError(f"gain: activation is a function or None: got {shown(activation)}")
    try:
        return 1.0 if activation is None else _GAINS.get(activation, 1.0)
    except TypeError:  # a function without a hash is none of these
        return 1.0


def fans(shape: tuple[int, ...]) -> tuple[int, int]:
    """Return the numbers of connections into and out of a unit of a weight with this shape.

    Raises
    ------
    ShapeError
        If `shape` has no axes.

    Examples
    --------
    >>> import portanet as pn
    >>> pn.initializers.fans((5, 10)), pn.initializers.fans((3, 3, 8, 16))
    ((10, 5), (72, 144))
    """
    if not isinstance(shape, tuple | list) or not all(isinstance(n, Integral) for n in shape):
        raise ArgumentError(f"fans: shape is a tuple of integers: got {shown(shape)}")
    match tuple(shape):
        case (n,):
            return 1, n
        case (n_out, n_in):
            return n_in, n_out
        case (*window, n_in, n_out):
            positions = math.prod(window)
            return positions * n_in, positions * n_out
    raise ShapeError("len(shape) >= 1: 0 < 1: a number without axes has no fans")
