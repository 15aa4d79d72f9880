"""A layer and a way around it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from portanet import checks
from portanet.core import Container, Layer, as_layer


@dataclass(frozen=True)
class SkipConnection(Container):
    r"""A layer and a way around it: :math:`y = \mathrm{connection}(f(x), x)`.

    Parameters
    ----------
    layers : Layer or callable
        The transformation :math:`f`.
    connection : Layer or callable
        What joins the two: a function of two arguments, the transformed input first, or a layer,
        which gets them as one tuple.

    Notes
    -----
    Parameters and states: ``layers``, and ``connection`` if that is a layer.

    References
    ----------
    .. [1] He, Zhang, Ren and Sun, "Deep Residual Learning for Image Recognition", CVPR 2016.

    Examples
    --------
    >>> import operator
    >>> import numpy as np
    >>> import portanet as pn
    >>> model = pn.SkipConnection(np.square, operator.add)
    >>> model(np.asarray([1.0, 3.0]), *pn.setup(0, model))[0]
    array([ 2., 12.])
    """

    layers: Any
    connection: Any

    def __post_init__(self) -> None:
        object.__setattr__(self, "layers", as_layer(self.layers, "SkipConnection"))
        checks.functions(self, "connection")

    def __call__(self, x: Any, ps: Any, st: Any) -> tuple[Any, Any]:
        y, layers = self.run("layers", x, ps, st)
        if not isinstance(self.connection, Layer):
            return self.connection(y, x), {"layers": layers}
        y, connection = self.run("connection", (y, x), ps, st)
        return y, {"layers": layers, "connection": connection}
