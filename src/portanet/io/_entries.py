"""Trees as entries with dotted names, and back."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

import optree

from portanet import trees
from portanet.errors import ArgumentError, ParameterTreeError


def plain(tree: Any) -> Any:
    """Return a tree in which each object with `to_state_dict` is replaced by that dict."""
    try:
        return optree.tree_map(_as_dict, tree, is_leaf=_has_state, namespace=trees.NAMESPACE)
    except RecursionError:
        raise ParameterTreeError("the tree contains itself, or is too deep to be one") from None


def _has_state(x: Any) -> bool:
    return hasattr(type(x), "to_state_dict")


def _as_dict(x: Any) -> Any:
    return plain(x.to_state_dict()) if _has_state(x) else x


def rebuilt(like: Any, tree: Any) -> Any:
    """Return a tree like `like` of one like ``plain(like)``."""
    return optree.tree_map(_from_dict, like, tree, is_leaf=_has_state, namespace=trees.NAMESPACE)


def _from_dict(x: Any, value: Any) -> Any:
    return x.from_state_dict(rebuilt(x.to_state_dict(), value)) if _has_state(x) else value


def named(tree: Any) -> tuple[dict[str, Any], list[str]]:
    """Return the leaves of a plain tree by their dotted paths, and the paths of empty dicts."""
    paths, leaves, _ = optree.tree_flatten_with_path(
        tree, is_leaf=_is_empty_dict, namespace=trees.NAMESPACE
    )
    found: dict[str, Any] = {}
    empty: list[str] = []
    for path, leaf in zip(paths, leaves, strict=True):
        name = ".".join(map(str, path))
        if _is_empty_dict(leaf):
            empty += [name] if path else []
        elif name in found:
            raise ParameterTreeError(f"one array a path: there are two at {name!r}")
        else:
            found[name] = leaf
    return found, empty


def _is_empty_dict(x: Any) -> bool:
    return isinstance(x, dict) and not x


NOTE = "portanet"
"""The entry of a file's metadata in which portanet says what no array can say."""


def note(empty: list[str]) -> dict[str, str]:
    """Return the metadata that keeps the paths of empty dicts."""
    return {NOTE: json.dumps({"empty": empty})} if empty else {}


def noted(path: str, metadata: Mapping[str, str]) -> list[str]:
    """Return the paths of empty dicts that `note` kept in a file."""
    if NOTE not in metadata:
        return []
    try:
        empty = json.loads(metadata[NOTE])["empty"]
    except (KeyError, RecursionError, TypeError, ValueError):
        empty = None
    if not isinstance(empty, list) or not all(isinstance(name, str) for name in empty):
        raise ArgumentError(f"{path!r}: the metadata {NOTE!r} is not what portanet writes")
    return empty


def nested(arrays: Mapping[str, Any], empty: Iterable[str]) -> dict[str, Any]:
    """Return arrays as a nested dict, one level for each part of a name."""
    tree: dict[str, Any] = {}
    for name in empty:
        _level(tree, name, name.split("."))
    for name, x in arrays.items():
        *parts, last = name.split(".")
        level = _level(tree, name, parts)
        if last in level:
            raise ParameterTreeError(f"{name!r} is an array and a dict: load with like=")
        level[last] = x
    return tree


def _level(tree: dict[str, Any], name: str, parts: list[str]) -> dict[str, Any]:
    if len(parts) > optree.MAX_RECURSION_DEPTH:
        raise ParameterTreeError(f"{name[:80]!r}… has {len(parts)} levels: load with like=")
    for part in parts:
        tree = tree.setdefault(part, {})
        if not isinstance(tree, dict):
            raise ParameterTreeError(f"{name!r} lies under an array, {part!r}: load with like=")
    return tree
