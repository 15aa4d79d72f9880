"""The layer: an immutable description of a function with explicit parameters and states."""

from __future__ import annotations

import dataclasses
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, ClassVar

import numpy as np

from portanet.core import display
from portanet.core.depth import after_parts, parts_ahead, within_depth
from portanet.core.html import layer_html


class Layer(ABC):
    """The base of every layer: hyperparameters, and three methods.

    A layer holds no arrays. It says how to draw its parameters and states, and what it computes
    when they are handed to it. Write one as a frozen dataclass: its fields are the
    hyperparameters, by which it is compared, hashed and printed.

    Examples
    --------
    A layer that multiplies by one trainable number and counts its calls:

    >>> from dataclasses import dataclass
    >>> import numpy as np
    >>> import portanet as pn
    >>> @dataclass(frozen=True)
    ... class Gain(pn.Layer):
    ...     start: float = 1.0
    ...     def initial_parameters(self, rng):
    ...         return {"gain": np.full((), self.start, np.float32)}
    ...     def initial_states(self, rng):
    ...         return {"calls": 0}
    ...     def __call__(self, x, ps, st):
    ...         return ps["gain"] * x, {"calls": st["calls"] + 1}
    >>> model = Gain(3.0)
    >>> ps, st = pn.setup(0, model)
    >>> y, st = model(np.ones(2, np.float32), ps, st)
    >>> y, st
    (array([3., 3.], dtype=float32), {'calls': 1})
    >>> model
    Gain(3.0)
    """

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        # A dataclass keeps the methods it finds in the class itself and overrides inherited ones.
        # Beside a method __eq__ it takes ``__hash__ = None`` for Python's own doing.
        hashable = vars(cls).get("__hash__", cls) is not None
        for method in ("__repr__", "__hash__", *(("__eq__",) if hashable else ())):
            if method not in vars(cls):
                setattr(cls, method, getattr(cls, method))

    def initial_parameters(self, rng: np.random.Generator) -> dict[str, Any]:
        """Draw the trainable parameters: a dict of float32 NumPy arrays, or of such dicts."""
        return {}

    def initial_states(self, rng: np.random.Generator) -> dict[str, Any]:
        """Draw the states: what a call may change, but no optimizer does.

        An entry ``"training"`` is a bool that `train_mode` and `test_mode` replace.
        """
        return {}

    @abstractmethod
    def __call__(self, x: Any, ps: Any, st: Any) -> tuple[Any, Any]:
        """Return the output for `x`, and the new states with the same entries as `st`."""

    def output_shape(self, input_shape: Any) -> tuple[int, ...] | None:
        """Return the shape of the output without its batch axis, or None to have it tried out.

        A hook for `portanet.output_shape`, which runs the layer on zeros unless the layer knows
        the answer.
        """
        return None

    def children(self) -> Mapping[str, Layer]:
        """Return the layers inside this one, by the names of their parameters and states."""
        return {}

    def with_children(self, children: Mapping[str, Layer]) -> Layer:
        """Return this layer with other layers inside; one that `children` lacks stays.

        A layer whose `children` are not simply in its fields overrides this too.
        """
        if not children:
            return self
        fields: Any = dataclasses.fields(self)  # pyright: ignore[reportArgumentType]
        held = {field.name: getattr(self, field.name) for field in fields if field.init}
        layer: Any = dataclasses.replace(self, **with_layers(held, children))  # pyright: ignore
        held = layer.children()
        if any(held[name] is not child and held[name] != child for name, child in children.items()):
            raise NotImplementedError(
                f"{type(self).__name__}: its children are not in its fields: it has to override "
                f"with_children"
            )
        return layer

    wide_parameters: ClassVar[bool] = False
    """Whether the parameters stay in float32 where a model computes in 16 bits.

    Such a layer takes inputs of 16 bits beside them, and works them out in float32.
    """

    sizes_by_input: ClassVar[Mapping[str, Callable[[Any], Any]]] = {}
    """How hyperparameters that may be None follow from the input."""

    _join: ClassVar[Any]
    """Makes one layer of two in a row, which is a `Chain`; its file supplies it."""

    @property
    def unresolved(self) -> tuple[str, ...]:
        """The names of the hyperparameters that wait for an input; see `resolve`."""
        return tuple(name for name in self.sizes_by_input if getattr(self, name) is None)

    def with_sizes_of(self, x: Any) -> Layer:
        """Return this layer with the sizes that follow from its input `x`."""
        sizes = {name: self.sizes_by_input[name](x) for name in self.unresolved}
        return dataclasses.replace(self, **sizes) if sizes else self  # pyright: ignore

    @property
    def takes_mask(self) -> bool:
        """Whether a `Chain` hands the mask of a `MaskedInput` to this layer."""
        return False

    def masked_input(self, x: Any, mask: Any) -> Any:
        """Return what this layer is called with for sequences `x` and their mask.

        Parameters
        ----------
        x : array of shape (N, L, ...)
        mask : array of bool, of shape (N, L)
            True where an entry of a sequence counts.
        """
        raise NotImplementedError(f"{type(self).__name__} takes no mask")

    @property
    def display_name(self) -> str:
        """The name under which the layer is printed."""
        return type(self).__name__

    def arguments(self) -> list[display.Argument]:
        """Return the constructor arguments to print: those that differ from their defaults.

        Fields are printed by position, keyword-only fields and those after an omitted one by name.
        A layer with a constructor of its own overrides this.
        """
        return display.dataclass_arguments(self)

    def __rshift__(self, other: Layer | Callable[..., Any]) -> Layer:
        return self._join(self, other) if callable(other) else NotImplemented

    def __rrshift__(self, other: Callable[..., Any]) -> Layer:
        return self._join(other, self) if callable(other) else NotImplemented

    @within_depth
    def __repr__(self) -> str:
        return display.constructor_call(self)

    @within_depth
    def __str__(self) -> str:
        return display.tree(self)

    @within_depth
    def _repr_html_(self) -> str:
        return layer_html(self)

    @within_depth
    def __eq__(self, other: object) -> bool:
        if self is other:
            return True
        if type(other) is not type(self) or not _is_compared(type(self)):
            return NotImplemented
        return _compared(self) == _compared(other)

    @within_depth
    def __hash__(self) -> int:
        if not dataclasses.is_dataclass(self):
            return object.__hash__(self)
        return hash((type(self), *map(_hashable, _compared(self))))

    def __reduce_ex__(self, protocol: Any) -> Any:
        """Say how to copy and pickle the layer: of a deep model, parts go ahead of the whole."""
        reduced = super().__reduce_ex__(protocol)
        parts = parts_ahead(self, _parts)
        if not parts or isinstance(reduced, str):
            return reduced
        make, arguments, *rest = reduced
        return after_parts, (parts, make, arguments), *rest


def _parts(layer: Layer) -> Iterator[Layer]:
    """Walk over the layers that a layer holds in its attributes."""
    for value in vars(layer).values():
        several = value.values() if isinstance(value, dict) else value
        held = several if isinstance(value, dict | list | tuple) else (value,)
        yield from (part for part in held if isinstance(part, Layer))


def with_layers(fields: Mapping[str, Any], children: Mapping[str, Layer]) -> dict[str, Any]:
    """Return `fields` with other layers, those of collections by the names ``field_key``."""
    return {name: _with_layers(name, value, children) for name, value in fields.items()}


def _with_layers(name: str, value: Any, children: Mapping[str, Layer]) -> Any:
    if isinstance(value, Layer):
        return children.get(name, value)
    if isinstance(value, Mapping):
        entries = {k: _with_layers(f"{name}_{k}", v, children) for k, v in value.items()}
        return entries if _changed(value.values(), entries.values()) else value
    if isinstance(value, list | tuple) and not hasattr(value, "_fields"):
        new = [_with_layers(f"{name}_{i}", part, children) for i, part in enumerate(value, 1)]
        return type(value)(new) if _changed(value, new) else value
    return value


def _changed(old: Iterable[Any], new: Iterable[Any]) -> bool:
    return any(after is not before for before, after in zip(old, new, strict=True))


def _is_compared(kind: Any) -> bool:
    """Whether layers of a class are equal by their fields."""
    parameters = getattr(kind, "__dataclass_params__", None)
    return parameters is not None and parameters.eq


def _compared(layer: Any) -> tuple[Any, ...]:
    return tuple(getattr(layer, f.name) for f in dataclasses.fields(layer) if f.compare)


def _hashable(value: Any) -> Any:
    if isinstance(value, Mapping):
        return frozenset((key, _hashable(entry)) for key, entry in value.items())
    if isinstance(value, list | tuple):
        return tuple(map(_hashable, value))
    return value
