"""Trees: nested dicts, tuples, lists and registered dataclasses whose leaves are arrays.

A thin vocabulary over `optree`. ``None`` is an empty tree. Every function that maps over trees
here keeps the order of the keys of a dict.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable
from typing import Any, NoReturn

import optree

from portanet.errors import ArgumentError, ParameterTreeError, shown
from portanet.listing import listing

__all__ = [
    "NAMESPACE",
    "check_same_structure",
    "flatten",
    "flatten_with_paths",
    "is_leaf",
    "leaves",
    "map_leaves",
    "register_tree",
    "unflatten",
]
__dir__ = listing(__all__)

Tree = Any
TreeStructure = optree.PyTreeSpec
NAMESPACE = "portanet"


def refuse_depth() -> NoReturn:
    """Raise `ParameterTreeError` for a tree that cannot be walked."""
    raise ParameterTreeError(
        "a tree ends: this one contains itself, or nests deeper than Python's recursion limit"
    ) from None


def flatten(tree: Tree) -> tuple[list[Any], TreeStructure]:
    """Split a tree into its leaves and its structure."""
    try:
        return optree.tree_flatten(tree, namespace=NAMESPACE)
    except RecursionError:
        refuse_depth()


def is_leaf(tree: Tree) -> bool:
    """Whether a tree is one leaf and nothing else."""
    return optree.tree_is_leaf(tree, namespace=NAMESPACE)


def unflatten(structure: TreeStructure, leaves: Iterable[Any]) -> Tree:
    """Build the tree of `structure` with `leaves`; the inverse of `flatten`."""
    try:
        return optree.tree_unflatten(structure, leaves)
    except (TypeError, ValueError, AttributeError):
        _refuse_parts(structure, leaves)
        raise


def _refuse_parts(structure: Any, leaves: Any) -> None:
    """Raise `ArgumentError` where a tree cannot be built because of what was given."""
    if not isinstance(structure, optree.PyTreeSpec):
        raise ArgumentError(
            f"unflatten: structure is what flatten returned second: got {shown(structure)}"
        )
    count = len(leaves) if isinstance(leaves, list | tuple) else None
    if count != structure.num_leaves:
        found = f"{count} leaves" if count is not None else shown(leaves)
        raise ArgumentError(f"unflatten: {structure.num_leaves} leaves: got {found}")


def leaves(tree: Tree) -> list[Any]:
    """Return the leaves of a tree, in the order of `flatten`."""
    try:
        return optree.tree_leaves(tree, namespace=NAMESPACE)
    except RecursionError:
        refuse_depth()


def map_leaves(function: Callable[..., Any], tree: Tree, *others: Tree) -> Tree:
    """Apply `function` to each leaf of `tree` and to the leaves of `others` at the same place.

    Raises
    ------
    ParameterTreeError
        If one of `others` has another structure than `tree`.

    Examples
    --------
    >>> from portanet import trees
    >>> trees.map_leaves(lambda a, b: a + b, {"w": 1, "b": 2}, {"w": 10, "b": 20})
    {'w': 11, 'b': 22}
    """
    if not callable(function):
        raise ArgumentError(f"map_leaves: function is one: got {shown(function)}")
    first, structure = flatten(tree)
    if not others:
        return unflatten(structure, list(map(function, first)))
    columns = [first]
    for other in others:
        check_same_structure(tree, other)
        columns.append(leaves(other))
    return unflatten(structure, [function(*row) for row in zip(*columns, strict=True)])


def flatten_with_paths(tree: Tree) -> list[tuple[str, Any]]:
    """Return pairs of a dotted path and a leaf.

    Examples
    --------
    >>> from portanet import trees
    >>> trees.flatten_with_paths({"layer_1": {"weight": 1.0}, "scales": (2.0, 3.0)})
    [('layer_1.weight', 1.0), ('scales.0', 2.0), ('scales.1', 3.0)]
    """
    try:
        paths, values, _ = optree.tree_flatten_with_path(tree, namespace=NAMESPACE)
    except RecursionError:
        refuse_depth()
    return [(".".join(map(str, path)), leaf) for path, leaf in zip(paths, values, strict=True)]


def check_same_structure(expected: Tree, given: Tree, what: str = "tree") -> None:
    """Raise `ParameterTreeError` with the first difference when two trees are built differently."""
    if flatten(expected)[1] == flatten(given)[1]:
        return
    wanted = [path for path, _ in flatten_with_paths(expected)]
    found = [path for path, _ in flatten_with_paths(given)]
    missing = [path for path in wanted if path not in set(found)]
    surplus = [path for path in found if path not in set(wanted)]
    if missing or surplus:
        raise ParameterTreeError(
            f"{what}: the entries differ: missing {missing or 'none'}, "
            f"unexpected {surplus or 'none'}"
        )
    raise ParameterTreeError(
        f"{what}: the same entries in different containers: "
        f"{flatten(expected)[1]} != {flatten(given)[1]}"
    )


def register_tree(cls: Any = None, *, static: tuple[str, ...] = ()) -> Any:
    """Register a dataclass as a tree: its fields become children (Flux's ``@functor``).

    Parameters
    ----------
    cls : type
        A dataclass. May be omitted when used as a decorator with arguments.
    static : tuple of str
        Names of fields that are not children (sizes, functions, names). They must be hashable.

    Returns
    -------
    type
        `cls` itself.

    Raises
    ------
    ArgumentError
        If `cls` is not a dataclass or a static name is not a field.

    Examples
    --------
    >>> import dataclasses
    >>> import numpy as np
    >>> import portanet as pn
    >>> @pn.register_tree
    ... @dataclasses.dataclass
    ... class Affine:
    ...     weight: np.ndarray
    ...     bias: np.ndarray
    >>> affine = Affine(np.ones((2, 3)), np.zeros(2))
    >>> pn.trees.map_leaves(np.shape, affine)
    Affine(weight=(2, 3), bias=(2,))
    """
    if cls is None:
        return lambda decorated: register_tree(decorated, static=static)
    if not (isinstance(cls, type) and dataclasses.is_dataclass(cls)):
        raise ArgumentError(f"{shown(cls)} is not a dataclass: use @dataclasses.dataclass first")
    names = [field.name for field in dataclasses.fields(cls)]
    unknown = [name for name in static if name not in names]
    if unknown:
        raise ArgumentError(f"static names {unknown} are not fields of {cls.__name__}: {names}")
    children = tuple(name for name in names if name not in static)

    def split(instance: Any) -> tuple[tuple[Any, ...], Any, tuple[str, ...]]:
        return (
            tuple(getattr(instance, name) for name in children),
            tuple(getattr(instance, name) for name in static),
            children,
        )

    def join(metadata: Any, values: Iterable[Any]) -> Any:
        instance = object.__new__(cls)
        for name, value in zip(static, metadata, strict=True):
            object.__setattr__(instance, name, value)
        for name, value in zip(children, values, strict=True):
            object.__setattr__(instance, name, value)
        return instance

    node: Any = cls
    optree.register_pytree_node(node, split, join, namespace=NAMESPACE)
    return cls
