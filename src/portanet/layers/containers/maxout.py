"""The maximum of layers."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any

from portanet import checks
from portanet.errors import HyperparameterError
from portanet.interface import array_namespace
from portanet.layers.containers.branches import Branches


@dataclass(frozen=True, init=False)
class Maxout(Branches):
    r"""The elementwise maximum of layers on one input: :math:`y = \max_i f_i(x)`.

    Parameters
    ----------
    *layers : Layer or callable
        The layers, at least one, as in `Chain`; or a function without arguments that makes a layer,
        and how many of them.
    **named : Layer or callable
        Layers with names of the user's choice.

    Notes
    -----
    Parameters and states: one entry for each layer.

    Raises
    ------
    HyperparameterError
        If there is no layer.
    ShapeError
        In the call, if the outputs of the layers differ in shape.

    References
    ----------
    .. [1] Goodfellow, Warde-Farley, Mirza, Courville and Bengio, "Maxout Networks", ICML 2013.

    Examples
    --------
    >>> import numpy as np
    >>> import portanet as pn
    >>> model = pn.Maxout(np.negative, np.positive)
    >>> model(np.asarray([-2.0, 3.0]), *pn.setup(0, model))[0]
    array([2., 3.])
    >>> pn.Maxout(lambda: pn.Dense(5, 3), 2)
    Maxout(Dense(5, 3), Dense(5, 3))
    """

    def __init__(self, *layers: Any, **named: Any) -> None:
        if len(layers) == 2 and isinstance(layers[1], int) and callable(layers[0]):
            factory, count = layers
            layers = ([factory() for _ in range(count)],)
        self._set(layers, named)
        if not self.layers:
            raise HyperparameterError("Maxout: number of layers >= 1: got 0")

    def __call__(self, x: Any, ps: Any, st: Any) -> tuple[Any, Any]:
        outputs, states = self._run_all((x,) * len(self), ps, st)
        for name, y in zip(self.names[1:], outputs[1:], strict=True):
            checks.same_shape(f"output of {name}", y, f"output of {self.names[0]}", outputs[0])
        return functools.reduce(array_namespace(*outputs).maximum, outputs), states
