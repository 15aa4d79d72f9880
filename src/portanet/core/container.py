"""Containers: layers that are made of layers."""

from __future__ import annotations

import dataclasses
import difflib
import functools
from collections.abc import Iterable, Mapping
from typing import Any, NoReturn

import numpy as np

from portanet import checks
from portanet.core.depth import TOO_DEEP
from portanet.core.layer import Layer
from portanet.errors import ChildNameError, HyperparameterError, located


class Container(Layer):
    """The base of layers whose fields are layers.

    A field that holds a layer is a child under the field's name. A field that holds a tuple of
    layers gives the children ``field_1``, ``field_2``, …, and one that holds a mapping of layers
    the children ``field_key``. Parameters and states nest under the children's names. A subclass
    writes ``__call__``, and reaches its children through `run`.

    Examples
    --------
    >>> from dataclasses import dataclass
    >>> import numpy as np
    >>> import portanet as pn
    >>> @dataclass(frozen=True)
    ... class Residual(pn.Container):
    ...     inner: pn.Layer
    ...     def __call__(self, x, ps, st):
    ...         y, inner = self.run("inner", x, ps, st)
    ...         return x + y, {"inner": inner}
    >>> model = Residual(pn.Dense(2, 2))
    >>> ps, st = pn.setup(0, model)
    >>> ps["inner"]["weight"].shape
    (2, 2)
    >>> y, st = model(np.ones((5, 2), np.float32), ps, st)
    >>> y.shape
    (5, 2)
    """

    def children(self) -> Mapping[str, Layer]:
        """Return the layers inside this one, by the names of their parameters and states."""
        fields = dataclasses.fields(self)  # pyright: ignore[reportArgumentType]
        return named_layers(self, {field.name: getattr(self, field.name) for field in fields})

    @functools.cached_property
    def _children(self) -> Mapping[str, Layer]:
        return self.children()

    def initial_parameters(self, rng: np.random.Generator) -> dict[str, Any]:
        """Draw the parameters of the children, in their order."""
        return {name: layer.initial_parameters(rng) for name, layer in self._children.items()}

    def initial_states(self, rng: np.random.Generator) -> dict[str, Any]:
        """Draw the states of the children, in their order."""
        return {name: layer.initial_states(rng) for name, layer in self._children.items()}

    def run(self, name: str, x: Any, ps: Any, st: Any) -> tuple[Any, Any]:
        """Call the child `name` with its entries of `ps` and `st`.

        Returns
        -------
        tuple
            The child's output and the child's new states.

        Raises
        ------
        ChildNameError
            If there is no such child.
        ParameterTreeError
            If `ps` or `st` has no entry for the child.
        """
        try:
            return self._children[name](x, ps[name], st[name])
        except Exception as error:
            self._locate(error, name, ps, st)
            raise

    def __getitem__(self, name: str) -> Layer:
        return self._child(name)

    def _child(self, name: str) -> Layer:
        try:
            return self._children[name]
        except KeyError:
            refuse_name(self, name, self._children)

    def _locate(self, error: Exception, name: str, ps: Any, st: Any) -> None:
        """Add the child's name to `error`, unless the call failed before it reached the child."""
        if isinstance(error, RecursionError):
            raise HyperparameterError(TOO_DEEP) from None
        if isinstance(error, HyperparameterError) and error.message == TOO_DEEP:
            return  # hundreds of names would not say where
        self._child(name)
        checks.entry(ps, name, "ps")
        checks.entry(st, name, "st")
        located(error, name)


def named_layers(owner: Layer, fields: Mapping[str, Any]) -> dict[str, Layer]:
    """Return the layers in the values of `fields`, those of collections as ``field_key``."""
    found: dict[str, Layer] = {}
    for field, value in fields.items():
        for name, layer in _layers_in(field, value):
            if name in found:
                raise HyperparameterError(
                    f"{owner.display_name}: two children have the name {name!r}"
                )
            found[name] = layer
    return found


def refuse_name(owner: Layer, name: str, names: Iterable[str]) -> NoReturn:
    """Raise `ChildNameError`: `name` is not among the `names` that `owner` has."""
    names = list(names)
    close = difflib.get_close_matches(name, names, n=1)
    hint = f": did you mean {close[0]!r}?" if close else ":"
    raise ChildNameError(
        f"{owner.display_name} has no child {name!r}{hint} it has {_listed(names)}"
    ) from None


def _listed(names: list[str]) -> str:
    shown = names if len(names) <= 8 else [*names[:3], *names[-3:]]
    parts = list(map(repr, shown))
    if len(shown) < len(names):
        parts.insert(3, "…")
    return ", ".join(parts) or "none"


def _layers_in(name: str, value: Any) -> list[tuple[str, Layer]]:
    if isinstance(value, Layer):
        return [(name, value)]
    if isinstance(value, list | tuple):
        entries = list(enumerate(value, start=1))
    elif isinstance(value, Mapping):
        entries = list(value.items())
    else:
        return []
    return [(f"{name}_{key}", layer) for key, layer in entries if isinstance(layer, Layer)]
