"""Between trees and the flat lists of arrays that an engine takes."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import Any

import numpy as np

from portanet import trees
from portanet.autodiff.hidden import refuse_hidden
from portanet.autodiff.implicit import Param
from portanet.errors import DTypeError, ShapeError
from portanet.interface import (
    Backend,
    array_namespace,
    backend_of,
    is_array,
    is_array_of,
    is_floating,
    same_dtype,
)


def primals(tree: Any, name: str) -> tuple[list[Any], trees.TreeStructure]:
    """Flatten what is to be differentiated; every leaf must be a floating-point array or number."""
    leaves, structure = trees.flatten(tree)
    try:
        if _differentiable.issuperset(zip(map(type, leaves), map(_DTYPE, leaves), strict=True)):
            return leaves, structure
    except AttributeError:  # numbers have no dtype
        pass
    for i, leaf in enumerate(leaves):
        kind = type(leaf), getattr(leaf, "dtype", None)
        if kind in _differentiable:
            continue
        if type(leaf) in (float, complex):
            leaves[i] = np.asarray(leaf)
        elif isinstance(leaf, Param):
            leaves[i] = leaf.value
        elif is_floating(leaf):
            _differentiable.add(kind)
        else:
            raise DTypeError(_refusal(tree, name, i))
    return leaves, structure


_DTYPE = operator.attrgetter("dtype")
_differentiable: set[tuple[type, Any]] = set()
"""The classes and dtypes of arrays that can be differentiated, of those seen so far."""


def _refusal(tree: Any, name: str, position: int) -> str:
    path, leaf = trees.flatten_with_paths(tree)[position]
    where = f"{name}.{path}" if path else name
    kind = f"dtype {leaf.dtype}" if is_array(leaf) else type(leaf).__name__
    if hasattr(leaf, "to_numpy"):
        name = f"{type(leaf).__module__.partition('.')[0]}.{type(leaf).__name__}"
        return f"{where}: {name} is no array: give its values, x.to_numpy()"
    return (
        f"{where}: only floating-point arrays and numbers can be differentiated, not {kind}: "
        "convert it (1 -> 1.0, xp.astype(x, xp.float32)) or leave it out of argnums"
    )


class Outputs:
    """Splits the tree that a function returns into arrays of `backend` and everything else.

    Filled while the engine runs the function; joined again when it has finished. What is no array
    of the library that differentiates cannot depend on the inputs: it goes around the engine.
    """

    __slots__ = ("backend", "bare", "leaves", "places", "structure")

    def __init__(self, backend: Backend) -> None:
        self.backend = backend
        self.leaves: list[Any] = []
        self.places: list[int] = []
        self.structure: Any = None
        self.bare: Any = None

    def split(self, tree: Any) -> list[Any]:
        self.bare = tree if _is_bare(tree) else None
        if self.bare is not None:
            return []
        self.leaves, self.structure = trees.flatten(tree)
        refuse_hidden(self.leaves, tree)
        self.leaves = [x.value if isinstance(x, Param) else x for x in self.leaves]
        self.places = [i for i, x in enumerate(self.leaves) if is_array_of(self.backend, x)]
        return [self.leaves[i] for i in self.places]

    def join(self, arrays: Sequence[Any]) -> Any:
        return self._filled(self.leaves, arrays)

    def join_tangents(self, arrays: Sequence[Any]) -> Any:
        """Join tangents: those of leaves that go around the engine are zero."""
        return self._filled(list(map(_zero, self.leaves)), arrays)

    def _filled(self, leaves: list[Any], arrays: Sequence[Any]) -> Any:
        if self.bare is not None:
            return self.bare
        leaves = list(leaves)
        for i, x in zip(self.places, arrays, strict=True):
            leaves[i] = x
        return trees.unflatten(self.structure, leaves)


def _is_bare(tree: Any, depth: int = 8) -> bool:
    """Whether a tree is nothing but dicts and tuples, as the states of most models are.

    To ask so costs a fraction of taking the tree apart.
    """
    if type(tree) is dict:
        tree = tree.values()
    elif type(tree) is not tuple:
        return False
    for part in tree:  # noqa: SIM110
        if not (depth and _is_bare(part, depth - 1)):
            return False
    return True


def _zero(leaf: Any) -> Any:
    if type(leaf) in (int, float, complex):
        return type(leaf)(0)
    return array_namespace(leaf).zeros_like(leaf) if is_array(leaf) else leaf


def matched(backend: Backend, tree: Any, like: Any, name: str) -> list[Any]:
    """Flatten directions, checked to fit the arrays of `like` in structure, shape and dtype.

    What belongs to other leaves of `like` than floating-point arrays of `backend` is not looked at.
    """
    trees.check_same_structure(like, tree, name)
    leaves: list[Any] = []
    pairs: Any = zip(trees.flatten_with_paths(like), trees.leaves(tree), strict=True)
    t: Any
    for (path, x), t in pairs:
        where = f"{name}.{path}" if path else name
        if is_array_of(backend, x) and backend.is_floating(x.dtype):
            if type(t) in (int, float) and x.ndim == 0:
                t = backend.xp.full_like(x, t)
            backend_of(x, t)
            if getattr(t, "shape", None) != x.shape:
                given = tuple(t.shape) if hasattr(t, "shape") else None
                raise ShapeError(f"{where}: shape {given} != {tuple(x.shape)}")
            if not same_dtype(t, x):
                raise DTypeError(f"{where}: dtype {t.dtype} != {x.dtype}")
        leaves.append(t)
    return leaves


def zeros_for_missing(backend: Backend, parts: Sequence[Any], like: Sequence[Any]) -> list[Any]:
    """Replace None, no dependence, by an exact zero of the shape and dtype it stands for."""
    return [backend.xp.zeros_like(x) if p is None else p for p, x in zip(parts, like, strict=True)]
