"""Trees as JSON that names their arrays, and back; and their leaves by path, to be compared.

A dict is an object of JSON; None, booleans and Python's numbers are themselves; all else is a list
that begins with what it is: ``["tuple", …]``, ``["text", "…"]``, ``["array"]``.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import optree

from portanet import trees
from portanet.errors import ParameterTreeError, shown
from portanet.interface import get_backend, is_array
from portanet.io import _generators, _leaves
from portanet.random import Key


class Node(NamedTuple):
    """A container: ``"dict"``, ``"list"`` or ``"tuple"``, and its parts by name."""

    kind: str
    parts: dict[str, Any]


def node_of(tree: Any) -> Node | None:
    """Return what a container is made of, None of a leaf. None is a leaf."""
    if optree.tree_is_leaf(tree, none_is_leaf=True, namespace=trees.NAMESPACE):
        return None
    if isinstance(tree, dict):  # in its own order
        return Node("dict", {str(key): child for key, child in tree.items()})
    children, _, entries, _ = optree.tree_flatten_one_level(
        tree, none_is_leaf=True, namespace=trees.NAMESPACE
    )
    kinds = {tuple: "tuple", list: "list", deque: "list"}
    kind = next((kind for cls, kind in kinds.items() if isinstance(tree, cls)), "dict")
    return Node(kind, dict(zip(map(str, entries), children, strict=True)))


@dataclass(frozen=True)
class Contents:
    """The leaves of a tree by their dotted paths, and the kinds of its containers.

    None and an empty container are leaves. A file that has arrays by name and no more does not know
    its containers.
    """

    leaves: Mapping[str, Any]
    containers: Mapping[str, str] | None = None


def contents(tree: Any) -> Contents:
    """Return the contents of a plain tree."""
    leaves: dict[str, Any] = {}
    containers: dict[str, str] = {}

    def walk(path: tuple[str, ...], tree: Any) -> None:
        node, name = node_of(tree), ".".join(path)
        if node is None or not node.parts:
            if name in leaves:
                raise ParameterTreeError(f"one array a path: there are two at {name!r}")
            leaves[name] = tree
            return
        containers[name] = node.kind
        for part, child in node.parts.items():
            walk((*path, part), child)

    try:
        walk((), tree)
    except RecursionError:
        trees.refuse_depth()
    return Contents(leaves, containers)


def described(tree: Any, store: Callable[[str, Any], np.ndarray]) -> tuple[Any, dict[str, Any]]:
    """Return a plain tree as JSON, and its arrays by name as `store` makes them."""
    arrays: dict[str, np.ndarray] = {}

    def describe(path: tuple[str, ...], x: Any) -> Any:
        node = node_of(x)
        if node is None:
            return _leaf(".".join(path), x, arrays, store)
        if isinstance(x, dict) and not all(isinstance(key, str) for key in x):
            raise ParameterTreeError(f"the keys of a dict are texts: got {shown(list(x))}")
        parts = {name: describe((*path, name), child) for name, child in node.parts.items()}
        return parts if node.kind == "dict" else [node.kind, *parts.values()]

    return describe((), tree), arrays


def _leaf(
    name: str, x: Any, arrays: dict[str, np.ndarray], store: Callable[[str, Any], np.ndarray]
) -> Any:
    if is_array(x):
        if isinstance(x, np.generic) and x.dtype.name in _NUMBERS:
            return ["number", x.dtype.name, x.item()]
        arrays[name] = stored = store(name, x)
        axes = _axes(stored)
        return ["array"] if axes is None else ["array", axes]
    if isinstance(x, str):
        return ["text", x]
    if isinstance(x, Key):
        return ["key", *x.words]
    if isinstance(x, np.random.Generator):
        return ["generator", _generators.state_of(name, x)]
    if x is None or isinstance(x, bool | int | float):
        return None if x is None else _leaves.small(name, x)
    found = _leaves.library_key(x)
    if found is None:
        _leaves.refuse(name, x, "a generator")
    backend, implementation, words = found
    arrays[name] = words
    return ["library key", backend.name, implementation]


def _axes(x: np.ndarray) -> list[int] | None:
    """Return the axes of an array in the order in which its memory lies, None where it is usual."""
    if x.flags.c_contiguous:
        return None
    axes = sorted(range(x.ndim), key=lambda axis: -x.strides[axis])
    return axes if x.transpose(axes).flags.c_contiguous else None


def rebuilt(node: Any, arrays: Mapping[str, np.ndarray]) -> Any:
    """Return the tree of what `described` gave: dicts, lists, tuples and leaves.

    What is not of that form raises an error of any class.
    """

    def rebuild(path: tuple[str, ...], node: Any) -> Any:
        if isinstance(node, dict):
            return {name: rebuild((*path, name), child) for name, child in node.items()}
        if not isinstance(node, list):
            return node
        kind, *rest = node
        if kind in ("list", "tuple"):
            found = [rebuild((*path, str(i)), child) for i, child in enumerate(rest)]
            return found if kind == "list" else tuple(found)
        return _READ[kind](arrays.get(".".join(path)), *rest)

    return rebuild((), node)


def _array(x: Any, axes: Any = None) -> np.ndarray:
    """Return an array in the order of memory that it had: sums of floats depend on it."""
    if axes is None:
        return x[...]
    return np.ascontiguousarray(x.transpose(axes)).transpose(np.argsort(axes))


def _number(_: Any, dtype: str, value: Any) -> np.generic:
    if dtype not in _NUMBERS:
        raise ValueError(f"no number of NumPy: {dtype!r}")
    return np.dtype(dtype).type(value)


_NUMBERS = frozenset(np.dtype(code).name for code in "?bhilqBHILQefd")
"""The dtypes of NumPy of which JSON can say every number."""

_READ: dict[str, Callable[..., Any]] = {
    "array": _array,
    "number": _number,
    "text": lambda _, text: str(text),
    "key": lambda _, high, low: Key((int(high), int(low))),
    "generator": lambda _, state: _generators.generator_of(state),
    "library key": lambda words, name, kind: get_backend(name).random_key(kind, words),
}
