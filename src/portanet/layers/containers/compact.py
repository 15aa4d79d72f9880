"""Layers written in place: a function, and what it needs."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from portanet import checks
from portanet.core import Argument, Container, Layer
from portanet.core.container import named_layers, refuse_name
from portanet.core.layer import with_layers
from portanet.errors import ChildNameError, HyperparameterError
from portanet.layers.containers.compact_parts import Initial, as_part

Body = Callable[[Any, Any], Any]


def compact(**parts: Any) -> Callable[[Body], CompactLayer]:
    """Make a layer of a function: ``@compact(name=part, ...)`` above ``def name(self, x)``.

    Inside the function each part is ``self.name``. Its kind follows from its value:

    - a layer becomes a child, which is called as ``self.name(x)``: its parameters are looked up
      and its states are passed on without a word;
    - a list, tuple or mapping of layers becomes one of such children;
    - an array, or a tree of arrays, becomes a parameter;
    - `trainable` and `non_trainable` mark parameters and states by hand, and what is to be drawn;
      a state is set by ``self.name = value``;
    - everything else is a constant.

    Parameters
    ----------
    **parts
        The parts. Floating arrays begin in single precision, as in every layer; ``setup`` converts
        them.

    Returns
    -------
    callable
        A decorator, which returns a `CompactLayer`.

    Raises
    ------
    HyperparameterError
        If the name of a part begins with an underscore, or a part mixes layers or arrays with
        other things.

    Notes
    -----
    Parameters and states nest under the names of the parts, those of a collection of layers under
    ``name_1``, ``name_2``, … or ``name_key``. The layer is pure although its function reads as if
    it were not: what is set is returned as the new state. Two compact layers are equal only if
    they are one.

    Examples
    --------
    >>> import numpy as np
    >>> import portanet as pn
    >>> @pn.compact(dense=pn.Dense(3, 4, pn.relu), scale=np.ones(4), power=2)
    ... def model(self, x):
    ...     return self.scale * self.dense(x) ** self.power
    >>> print(model)
    model(
        scale = float32[4],         # 4 parameters
        power = 2,
        dense = Dense(3, 4, relu),   # 16 parameters
    )         # Total: 20 parameters,
              #        plus 0 states.
    >>> ps, st = pn.setup(0, model)
    >>> y, st = model(np.ones((5, 3), np.float32), ps, st)
    >>> y.shape, y.dtype
    ((5, 4), dtype('float32'))
    """
    sorted_parts = {name: as_part(name, part) for name, part in parts.items()}

    def decorate(body: Body) -> CompactLayer:
        return CompactLayer(body, sorted_parts)

    return decorate


@dataclass(frozen=True, eq=False)
class CompactLayer(Container):
    """A layer made by `compact` of a function and its parts.

    Parameters
    ----------
    body : callable
        The function, of the bound layer and the input.
    parts : mapping
        Layers, collections of layers, initial values and constants, by name.
    """

    body: Body
    parts: Mapping[str, Any]

    __hash__ = object.__hash__

    def __post_init__(self) -> None:
        for name in self._children.keys() & self._drawn.keys():
            raise HyperparameterError(f"{self.display_name}: two parts have the name {name!r}")

    @property
    def display_name(self) -> str:
        return self.body.__name__

    @functools.cached_property
    def _drawn(self) -> dict[str, Initial]:
        return {name: part for name, part in self.parts.items() if isinstance(part, Initial)}

    @functools.cached_property
    def _state_names(self) -> list[str]:
        own = [name for name, part in self._drawn.items() if not part.is_parameter]
        return [*self._children, *own]

    def children(self) -> Mapping[str, Layer]:
        return named_layers(self, self.parts)

    def with_children(self, children: Mapping[str, Layer]) -> Layer:
        return CompactLayer(self.body, with_layers(self.parts, children))

    def arguments(self) -> list[Argument]:
        return [Argument(name, part, True) for name, part in self.parts.items()]

    def initial_parameters(self, rng: np.random.Generator) -> dict[str, Any]:
        return super().initial_parameters(rng) | self._draw(rng, True)

    def initial_states(self, rng: np.random.Generator) -> dict[str, Any]:
        return super().initial_states(rng) | self._draw(rng, False)

    def _draw(self, rng: np.random.Generator, is_parameter: bool) -> dict[str, Any]:
        return {
            name: part.draw(name, rng)
            for name, part in self._drawn.items()
            if part.is_parameter is is_parameter
        }

    def __call__(self, x: Any, ps: Any, st: Any) -> tuple[Any, Any]:
        states = {name: checks.entry(st, name, "st") for name in self._state_names}
        return self.body(BoundLayer(self, ps, states), x), states


class BoundLayer:
    """What the function of a compact layer sees as ``self``: the parts during one call."""

    __slots__ = ("_layer", "_ps", "_states")

    def __init__(self, layer: CompactLayer, ps: Any, states: dict[str, Any]) -> None:
        object.__setattr__(self, "_layer", layer)
        object.__setattr__(self, "_ps", ps)
        object.__setattr__(self, "_states", states)

    def __getattr__(self, name: str) -> Any:
        try:
            part = self._layer.parts[name]
        except KeyError:
            refuse_name(self._layer, name, self._layer.parts)
        if not isinstance(part, Initial):
            return self._bound(name, part)
        return checks.entry(self._ps, name) if part.is_parameter else self._states[name]

    def __setattr__(self, name: str, value: Any) -> None:
        part = self._layer.parts.get(name)
        if not isinstance(part, Initial) or part.is_parameter:
            raise ChildNameError(
                f"only a state can be set inside a compact layer: {name!r} is none: "
                f"declare it as {name}=pn.non_trainable(first_value)"
            )
        self._states[name] = value

    def _bound(self, name: str, part: Any) -> Any:
        if isinstance(part, Layer):
            return lambda x: self._run(name, x)
        if isinstance(part, Mapping):
            return {key: self._bound(f"{name}_{key}", entry) for key, entry in part.items()}
        if isinstance(part, tuple):
            return tuple(self._bound(f"{name}_{i}", entry) for i, entry in enumerate(part, 1))
        return part

    def _run(self, name: str, x: Any) -> Any:
        y, self._states[name] = self._layer.run(name, x, self._ps, self._states)
        return y
