"""Between trees and the flat lists of arrays that an engine takes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from portanet import trees
from portanet.backends import Backend, array_namespace, backend_of, is_array
from portanet.errors import DTypeError, ShapeError


def primals(tree: Any, name: str) -> tuple[list[Any], trees.TreeStructure]:
    """Flatten what is to be differentiated; every leaf must be a floating-point array or number."""
    leaves, structure = trees.flatten(tree)
    for i, leaf in enumerate(leaves):
        if type(leaf) in (float, complex):
            leaves[i] = np.asarray(leaf)
        elif not (is_array(leaf) and backend_of(leaf).is_floating(leaf.dtype)):
            raise DTypeError(_refusal(tree, name, i))
    return leaves, structure


def _refusal(tree: Any, name: str, position: int) -> str:
    path, leaf = trees.flatten_with_paths(tree)[position]
    where = f"{name}.{path}" if path else name
    kind = f"dtype {leaf.dtype}" if hasattr(leaf, "dtype") else type(leaf).__name__
    return (
        f"{where}: only floating-point arrays and numbers can be differentiated, not {kind}: "
        "convert it (1 -> 1.0, xp.astype(x, xp.float32)) or leave it out of argnums"
    )


class Outputs:
    """Splits the tree that a function returns into arrays to differentiate and everything else.

    Filled while the engine runs the function; joined again when it has finished.
    """

    __slots__ = ("leaves", "places", "structure")

    def __init__(self) -> None:
        self.leaves: list[Any] = []
        self.places: list[int] = []
        self.structure: Any = None

    def split(self, tree: Any) -> list[Any]:
        self.leaves, self.structure = trees.flatten(tree)
        self.places = [i for i, leaf in enumerate(self.leaves) if is_array(leaf)]
        return [self.leaves[i] for i in self.places]

    def join(self, arrays: Sequence[Any]) -> Any:
        leaves = list(self.leaves)
        for i, x in zip(self.places, arrays, strict=True):
            leaves[i] = x
        self.leaves = leaves
        return trees.unflatten(self.structure, leaves)


def matched(tree: Any, like: Any, name: str) -> list[Any]:
    """Flatten directions, checked to fit the arrays of `like` in structure, shape and dtype."""
    trees.check_same_structure(like, tree, name)
    leaves: list[Any] = []
    pairs: Any = zip(trees.flatten_with_paths(like), trees.leaves(tree), strict=True)
    t: Any
    for (path, x), t in pairs:
        where = f"{name}.{path}" if path else name
        if type(t) in (int, float, complex) and is_array(x) and x.ndim == 0:
            t = array_namespace(x).full_like(x, t)
        if is_array(x) and backend_of(x).is_floating(x.dtype):
            backend_of(x, t)
            if getattr(t, "shape", None) != x.shape:
                raise ShapeError(f"{where}: shape {getattr(t, 'shape', None)} != {x.shape}")
            if t.dtype != x.dtype:
                raise DTypeError(f"{where}: dtype {t.dtype} != {x.dtype}")
        leaves.append(t)
    return leaves


def zeros_for_missing(backend: Backend, parts: Sequence[Any], like: Sequence[Any]) -> list[Any]:
    """Replace None, no dependence, by an exact zero of the shape and dtype it stands for."""
    return [backend.xp.zeros_like(x) if p is None else p for p, x in zip(parts, like, strict=True)]
