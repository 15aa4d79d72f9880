"""Layers one after the other, around each other, and again and again."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, overload

from portanet import checks
from portanet.core import Container, Layer, output_shape
from portanet.errors import HyperparameterError
from portanet.layers.containers.named import NamedLayers
from portanet.layers.utility.functions import as_layer


@dataclass(frozen=True, init=False)
class Chain(NamedLayers):
    r"""Layers in sequence, each fed the output of the one before it.

    :math:`y = (f_n \circ \dots \circ f_2 \circ f_1)(x)`

    Parameters
    ----------
    *layers : Layer or callable
        The layers, named ``layer_1``, ``layer_2``, …; a plain function is wrapped. A single list
        or tuple of layers, or a dict of named ones, is accepted too. A chain without layers
        returns its input. A chain in a chain stays one layer.
    **named : Layer or callable
        Layers with names of the user's choice.

    Attributes
    ----------
    names : tuple of str
        The names of the layers, which are the keys of the parameters and states.
    layers : tuple of Layer
        The layers.

    Raises
    ------
    HyperparameterError
        If a part is neither a layer nor a function, or if two have one name.
    ChildNameError
        From ``chain[name]``, ``chain.name`` or ``chain[index]`` if there is no such layer.

    Notes
    -----
    Parameters and states: one entry for each layer, under its name. ``chain[0]`` and
    ``chain["layer_1"]`` are layers; ``chain[1:]`` is a chain that keeps the names of its layers,
    so it runs with the parameters and states of the whole.

    Examples
    --------
    >>> import numpy as np
    >>> import portanet as pn
    >>> model = pn.Chain(pn.Dense(1, 16, pn.relu), pn.Dense(16, 1))
    >>> print(model)
    Chain(
        layer_1 = Dense(1, 16, relu),   # 32 parameters
        layer_2 = Dense(16, 1),         # 17 parameters
    )         # Total: 49 parameters,
              #        plus 0 states.
    >>> ps, st = pn.setup(0, model)
    >>> y, st = model(np.ones((8, 1), np.float32), ps, st)
    >>> y.shape
    (8, 1)
    >>> pn.Chain(encoder=pn.Dense(9, 3), decoder=pn.Dense(3, 9)).encoder
    Dense(9, 3)
    >>> model[1:]
    Chain(layer_2=Dense(16, 1))
    """

    def __init__(self, *layers: Any, **named: Any) -> None:
        self._set(layers, named)

    def __call__(self, x: Any, ps: Any, st: Any) -> tuple[Any, Any]:
        states = {}
        name = ""
        try:
            for name, layer in self._steps:
                x, states[name] = layer(x, ps[name], st[name])
        except Exception as error:
            self._locate(error, name, ps, st)
            raise
        return x, states

    def output_shape(self, input_shape: Any) -> tuple[int, ...]:
        shape = input_shape
        for layer in self.layers:
            shape = output_shape(layer, shape)
        return shape

    @overload
    def __getitem__(self, key: slice) -> Chain: ...
    @overload
    def __getitem__(self, key: Any) -> Layer: ...
    def __getitem__(self, key: Any) -> Any:
        if isinstance(key, slice):
            return Chain(dict(zip(self.names[key], self.layers[key], strict=True)))
        return super().__getitem__(key)


def compose(first: Any, second: Any) -> Chain:
    """Return the chain of two layers or functions; the layers of chains are taken one by one.

    Names of the user's choice are kept, default ones are counted anew.
    """
    named: dict[str, Layer] = {}
    for part in (first, second):
        chain = part if isinstance(part, Chain) else Chain(part)
        for name, layer in zip(chain.names, chain.layers, strict=True):
            if re.fullmatch(r"layer_\d+", name):
                name = f"layer_{len(named) + 1}"
            if name in named:
                raise HyperparameterError(f"Chain: two children have the name {name!r}")
            named[name] = layer
    return Chain(named)


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


@dataclass(frozen=True)
class RepeatedLayer(Container):
    r"""One layer applied again and again, with the same parameters.

    :math:`y_0 = x`, :math:`y_i = f(y_{i-1})` for :math:`i = 1, \dots, n`; with input injection
    :math:`y_i = f((y_{i-1}, x))`. The output is :math:`y_n`.

    Parameters
    ----------
    model : Layer or callable
        The layer :math:`f`.
    repeats : int
        How often it is applied, at least once.
    input_injection : bool
        Whether each application gets the tuple of the last output and the input.

    Notes
    -----
    Parameters and states: ``model``. The states pass from one application to the next.

    Raises
    ------
    HyperparameterError
        If `repeats` is below 1 or not an integer.

    References
    ----------
    .. [1] Bai, Kolter and Koltun, "Deep Equilibrium Models", NeurIPS 2019.

    Examples
    --------
    >>> import portanet as pn
    >>> model = pn.RepeatedLayer(lambda x: 2 * x, repeats=3)
    >>> model(1.0, *pn.setup(0, model))[0]
    8.0
    """

    model: Any
    repeats: int = 10
    input_injection: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "model", as_layer(self.model, "RepeatedLayer"))
        checks.integers(self, "repeats")
        checks.flags(self, "input_injection")

    def __call__(self, x: Any, ps: Any, st: Any) -> tuple[Any, Any]:
        y = x
        for _ in range(self.repeats):
            y, state = self.run("model", (y, x) if self.input_injection else y, ps, st)
            st = {"model": state}
        return y, st
