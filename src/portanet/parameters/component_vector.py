"""A flat vector that is also the named tree it was made of."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import optree

from portanet import trees
from portanet.errors import ChildNameError, ParameterTreeError, ShapeError, shown
from portanet.interface import array_namespace, backend_of
from portanet.parameters.component_layout import Layout, layout_of, names
from portanet.parameters.ravel import check_vector, join

Array = Any


class ComponentVector(Mapping[str, Any]):
    """A vector whose entries have names: Lux's ComponentArray.

    The data is one array, `flat`. Its parts are reshaped slices, which on most libraries share
    the memory: ``cv.layer_1.weight`` or ``cv["layer_1"]["weight"]``. It is a mapping, so a model
    takes it as its parameters, and a tree with one child, so gradients with respect to it are
    component vectors and an optimizer updates one array.

    ``+``, ``-``, ``*``, ``/`` and ``**`` act on the flat data and take numbers, arrays of no axes
    or of shape ``(n,)``, and component vectors with the same names and shapes. As in any mapping,
    iteration goes over the names and ``len`` counts them; `size` counts the entries of the
    vector. Equality is identity: compare `flat`.

    Parameters
    ----------
    tree : dict
        Nested dicts with string keys and arrays of one library and dtype. The vector takes them
        in the sorted order of their keys, as `portanet.ravel` does.

    Raises
    ------
    DTypeError
        If the arrays differ in dtype.
    BackendMismatchError
        If the arrays are of two libraries, or a leaf is no array.
    ParameterTreeError
        If there is no array, or the tree is no dict with string keys.

    Examples
    --------
    >>> import numpy as np
    >>> import portanet as pn
    >>> cv = pn.ComponentVector({"weight": np.asarray([[1.0, 2.0]]), "bias": np.zeros(1)})
    >>> cv
    ComponentVector{float64}(weight = [[1. 2.]], bias = [0.])
    >>> cv.flat
    array([0., 1., 2.])
    >>> (2.0 * cv + 1.0).weight
    array([[3., 5.]])
    >>> cv.with_flat(np.asarray([7.0, 8.0, 9.0])).tree()
    {'weight': array([[8., 9.]]), 'bias': array([7.])}
    """

    __slots__ = ("_layout", "flat")

    # NumPy's operators hand over to the ones below.
    __array_ufunc__ = None

    flat: Array
    _layout: Layout

    def __init__(self, tree: Mapping[str, Any]) -> None:
        try:
            entries = _as_dicts(tree)
        except RecursionError:
            trees.refuse_depth()
        _fill(self, join(tree, trees.leaves(entries)), layout_of(tree))

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the vector, ``(n,)``."""
        return self.flat.shape

    @property
    def size(self) -> int:
        """The number of entries of the vector."""
        return self._layout.size

    @property
    def dtype(self) -> Any:
        """The dtype of the vector."""
        return self.flat.dtype

    def tree(self) -> dict[str, Any]:
        """Return nested dicts with the parts of the vector as arrays."""
        return {
            name: part.tree() if isinstance(part, ComponentVector) else part
            for name, part in self.items()
        }

    def with_flat(self, flat: Array) -> ComponentVector:
        """Return the same names on other data.

        Raises
        ------
        ShapeError
            If `flat` has not the shape of this vector.
        """
        check_vector(flat, self.size)
        return _on(flat, self._layout)

    def __getitem__(self, name: str) -> Any:
        entry = self._layout.by_name.get(name)
        if entry is None:
            raise ParameterTreeError(f"no entry {shown(name)}: the names are {list(self)}")
        part = self.flat[entry.start : entry.stop]
        if isinstance(entry.inner, Layout):
            return _on(part, entry.inner)
        return array_namespace(part).reshape(part, entry.inner)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_") or name not in self._layout.by_name:
            known = [] if name.startswith("_") else list(self)
            raise ChildNameError(
                f"ComponentVector has no entry {shown(name)}: the names are {known}"
            )
        return self[name]

    def __setattr__(self, name: str, value: Any) -> None:
        raise AttributeError(
            f"a ComponentVector is immutable: {shown(name)} cannot be set: build another one, for "
            f"example with cv.with_flat(...)"
        )

    __delattr__ = __setattr__  # pyright: ignore

    def __iter__(self) -> Iterator[str]:
        return (name for name, _ in self._layout.entries)

    def __len__(self) -> int:
        return len(self._layout.entries)

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *self})

    __eq__ = object.__eq__
    __hash__ = object.__hash__  # pyright: ignore

    def __reduce__(self) -> tuple[Any, ...]:
        return _on, (self.flat, self._layout)

    def __repr__(self) -> str:
        backend = backend_of(self.flat)
        return f"ComponentVector{{{backend.dtype_name(self.dtype)}}}{_shown(backend, self)}"

    def _combine(self, function: Callable[[Any, Any], Any], other: Any) -> ComponentVector:
        if isinstance(other, ComponentVector):
            if other._layout != self._layout:
                raise ShapeError(
                    f"component vectors with the same names and shapes: {names(self._layout)} != "
                    f"{names(other._layout)}"
                )
            other = other.flat
        elif getattr(other, "shape", ()):
            check_vector(other, self.size)
        return _on(function(self.flat, other), self._layout)

    def __add__(self, other: Any) -> ComponentVector:
        return self._combine(operator.add, other)

    def __radd__(self, other: Any) -> ComponentVector:
        return self._combine(lambda a, b: b + a, other)

    def __sub__(self, other: Any) -> ComponentVector:
        return self._combine(operator.sub, other)

    def __rsub__(self, other: Any) -> ComponentVector:
        return self._combine(lambda a, b: b - a, other)

    def __mul__(self, other: Any) -> ComponentVector:
        return self._combine(operator.mul, other)

    def __rmul__(self, other: Any) -> ComponentVector:
        return self._combine(lambda a, b: b * a, other)

    def __truediv__(self, other: Any) -> ComponentVector:
        return self._combine(operator.truediv, other)

    def __rtruediv__(self, other: Any) -> ComponentVector:
        return self._combine(lambda a, b: b / a, other)

    def __pow__(self, other: Any) -> ComponentVector:
        return self._combine(operator.pow, other)

    def __neg__(self) -> ComponentVector:
        return _on(-self.flat, self._layout)

    def __pos__(self) -> ComponentVector:
        return self


def _fill(vector: ComponentVector, flat: Array, layout: Layout) -> ComponentVector:
    object.__setattr__(vector, "flat", flat)
    object.__setattr__(vector, "_layout", layout)
    return vector


def _on(flat: Array, layout: Layout) -> ComponentVector:
    return _fill(ComponentVector.__new__(ComponentVector), flat, layout)


def _as_dicts(tree: Any) -> Any:
    """Return nested mappings as dicts, whose leaves come in the sorted order of the keys."""
    if isinstance(tree, Mapping):
        return {name: _as_dicts(part) for name, part in tree.items()}
    return tree


def _shown(backend: Any, vector: ComponentVector) -> str:
    def text(part: Any) -> str:
        if isinstance(part, ComponentVector):
            return _shown(backend, part)
        try:
            return str(backend.to_numpy(part))
        except (TypeError, ValueError, RuntimeError, AttributeError):
            return str(part)  # a traced array has no values to show

    return f"({', '.join(f'{name} = {text(part)}' for name, part in vector.items())})"


def _split(vector: ComponentVector) -> tuple[tuple[Array], Layout, tuple[str]]:
    return (vector.flat,), vector._layout, ("flat",)


def _join(layout: Layout, children: Iterable[Any]) -> ComponentVector:
    (flat,) = children
    return _on(flat, layout)


_register: Any = optree.register_pytree_node  # its types ask for a collection
_register(ComponentVector, _split, _join, namespace=trees.NAMESPACE)
