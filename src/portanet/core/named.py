"""What the containers of any number of named layers share."""

from __future__ import annotations

import dataclasses
import keyword
import operator
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from portanet.core.container import Container
from portanet.core.display import Argument
from portanet.core.functions import as_layer
from portanet.core.layer import Layer
from portanet.errors import ChildNameError, HyperparameterError, shown


@dataclass(frozen=True, init=False)
class NamedLayers(Container):
    """Layers in a row, each with a name: ``layer_1``, ``layer_2``, … unless the user gave one."""

    names: tuple[str, ...]
    layers: tuple[Layer, ...]
    _steps: tuple[tuple[str, Layer], ...] = field(init=False, repr=False, compare=False)

    def _set(self, layers: tuple[Any, ...], named: Mapping[str, Any], **fields: Any) -> None:
        """Name and check the layers; a single list, tuple or mapping holds them all."""
        if len(layers) == 1 and isinstance(layers[0], Mapping):
            layers, named = (), {**layers[0], **named}
        elif len(layers) == 1 and isinstance(layers[0], list | tuple):
            layers = tuple(layers[0])
        owner = type(self).__name__
        pairs = [(_default_name(i), layer) for i, layer in enumerate(layers, start=1)]
        pairs += named.items()
        names = tuple(self._checked_name(name) for name, _ in pairs)
        if len(set(names)) != len(names):
            double = next(name for name in names if names.count(name) > 1)
            raise HyperparameterError(f"{owner}: two children have the name {double!r}")
        object.__setattr__(self, "names", names)
        object.__setattr__(self, "layers", tuple(as_layer(layer, owner) for _, layer in pairs))
        for name, value in fields.items():
            object.__setattr__(self, name, value)
        # Computed once: `Chain` runs through them in every call.
        object.__setattr__(self, "_steps", tuple(zip(self.names, self.layers, strict=True)))

    def _checked_name(self, name: Any) -> str:
        owner = type(self)
        if not isinstance(name, str) or not name.isidentifier() or keyword.iskeyword(name):
            raise HyperparameterError(
                f"{owner.__name__}: the name of a child is a Python identifier: got {shown(name)}"
            )
        if name.startswith("_") or name in owner.__dataclass_fields__ or hasattr(owner, name):
            raise HyperparameterError(
                f"{owner.__name__}: {name!r} is an attribute of its own: choose another name"
            )
        return name

    def children(self) -> Mapping[str, Layer]:
        return dict(zip(self.names, self.layers, strict=True))

    def with_children(self, children: Mapping[str, Layer]) -> Layer:
        others = {field.name for field in dataclasses.fields(self)} - {"names", "layers", "_steps"}
        new = object.__new__(type(self))
        new._set(
            (),
            {name: children.get(name, layer) for name, layer in self._steps},
            **{name: children.get(name, getattr(self, name)) for name in others},
        )
        return new

    def arguments(self) -> list[Argument]:
        """Return the layers: by position while their names are the default ones."""
        arguments, named = [], False
        for i, (name, layer) in enumerate(zip(self.names, self.layers, strict=True), start=1):
            named = named or name != _default_name(i)
            arguments.append(Argument(name, layer, named))
        return arguments

    def __len__(self) -> int:
        return len(self.layers)

    def __bool__(self) -> bool:
        return True

    def __iter__(self) -> Iterator[Layer]:
        return iter(self.layers)

    def __contains__(self, layer: object) -> bool:
        return layer in self.layers

    def __getitem__(self, key: Any) -> Any:
        if isinstance(key, str):
            return self._child(key)
        index = operator.index(key)
        if not -len(self) <= index < len(self):
            raise ChildNameError(
                f"-{len(self)} <= index < {len(self)}, the number of layers of "
                f"{self.display_name}: got {index}"
            )
        return self.layers[index]

    def __getattr__(self, name: str) -> Layer:
        if name.startswith("_"):
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        return self._child(name)


def _default_name(position: int) -> str:
    return f"layer_{position}"
