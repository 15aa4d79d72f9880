"""The parts of a compact layer: what each is, and what it is at first."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from portanet import trees
from portanet.core import Layer
from portanet.errors import HyperparameterError, shown


@dataclass(frozen=True, eq=False)
class Initial:
    """What an entry is at first, of the parameters or of the states."""

    value: Any
    is_parameter: bool

    def draw(self, name: str, rng: np.random.Generator) -> Any:
        value = self.value(rng) if callable(self.value) else self.value
        if self.is_parameter and not all(map(_is_floating, trees.leaves(value))):
            raise HyperparameterError(
                f"the parameter {name!r} begins as floating NumPy arrays: got {shown(value)}: "
                f"what is not trained is declared with pn.non_trainable"
            )
        return trees.map_leaves(_single_precision, value)

    def __repr__(self) -> str:
        arrays = [leaf for leaf in trees.leaves(self.value) if isinstance(leaf, np.ndarray)]
        shown = ", ".join(f"{_single_precision(x).dtype}{list(x.shape)}" for x in arrays)
        if len(arrays) > 1:
            return f"({shown})"
        return shown or getattr(self.value, "__name__", None) or repr(self.value)


def trainable(value: Any) -> Initial:
    """Mark what `compact` shall take for a parameter.

    Parameters
    ----------
    value : array, tree of arrays, or callable
        The first value, or a function that draws it: ``value(rng)`` with a
        `numpy.random.Generator`.

    Examples
    --------
    >>> import numpy as np
    >>> import portanet as pn
    >>> @pn.compact(weight=pn.trainable(lambda rng: rng.normal(size=(2, 3))))
    ... def linear(self, x):
    ...     return x @ self.weight.T
    >>> ps, st = pn.setup(0, linear)
    >>> ps["weight"].shape, ps["weight"].dtype
    ((2, 3), dtype('float32'))
    """
    return Initial(value, True)


def non_trainable(value: Any) -> Initial:
    """Mark what `compact` shall take for a state.

    Parameters
    ----------
    value : object or callable
        The first value, or a function that draws it: ``value(rng)`` with a
        `numpy.random.Generator`.

    Examples
    --------
    >>> import portanet as pn
    >>> @pn.compact(calls=pn.non_trainable(0))
    ... def counter(self, x):
    ...     self.calls = self.calls + 1
    ...     return x
    >>> counter("anything", *pn.setup(0, counter))
    ('anything', {'calls': 1})
    """
    return Initial(value, False)


def as_part(name: str, part: Any) -> Any:
    """Return a part as what it is: a layer, layers, an initial value or a constant."""
    if name.startswith("_"):
        raise HyperparameterError(
            f"compact: the name of a part begins with a letter: got {shown(name)}"
        )
    if isinstance(part, Layer | Initial):
        return part
    if isinstance(part, list | tuple | Mapping):
        entries = part.values() if isinstance(part, Mapping) else part
        for kind in (Layer, np.ndarray):
            matches = [isinstance(leaf, kind) for leaf in trees.leaves(list(entries))]
            if any(matches) and not all(matches):
                raise HyperparameterError(
                    f"compact: {name} mixes layers or arrays with other things: got {shown(part)}"
                )
        if any(isinstance(entry, Layer) for entry in entries):
            return dict(part) if isinstance(part, Mapping) else tuple(part)
    leaves = trees.leaves(part)
    if leaves and all(isinstance(leaf, np.ndarray) for leaf in leaves):
        return Initial(part, True)
    return part


def _is_floating(leaf: Any) -> bool:
    return isinstance(leaf, np.ndarray | np.generic) and np.issubdtype(leaf.dtype, np.inexact)


def _single_precision(leaf: Any) -> Any:
    """Return a floating array in single precision, as its own memory; anything else as it is."""
    if not _is_floating(leaf):
        return leaf
    return np.array(leaf, np.complex64 if np.iscomplexobj(leaf) else np.float32)
