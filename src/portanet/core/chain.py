"""`Chain`: layers one after the other; `>>` makes one."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, overload

from portanet.core.counts import output_shape
from portanet.core.layer import Layer
from portanet.core.masked import MaskedInput, checked_mask, refuse_mask
from portanet.core.named import NamedLayers
from portanet.errors import HyperparameterError


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
    A `MaskedInput` goes through with its mask, which each layer gets that takes one.

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
        name, mask = "", None
        if type(x) is MaskedInput:
            x, mask = self._with_mask(x)
        try:
            for name, layer in self._steps:
                if mask is not None and layer.takes_mask:
                    x = layer.masked_input(x, mask)
                x, states[name] = layer(x, ps[name], st[name])
        except Exception as error:
            self._locate(error, name, ps, st)
            raise
        return x, states

    def _with_mask(self, given: MaskedInput) -> tuple[Any, Any]:
        mask = checked_mask(given)
        if not self.takes_mask:
            raise refuse_mask(self.display_name)
        return given.x, mask

    @property
    def takes_mask(self) -> bool:
        return any(layer.takes_mask for layer in self.layers)

    def masked_input(self, x: Any, mask: Any) -> MaskedInput:
        return MaskedInput(x, mask)

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


Layer._join = staticmethod(compose)
