"""Cutting entries out of trees by dotted paths, and putting them back."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from typing import Any

from portanet import checks
from portanet.errors import ParameterTreeError


def paths_of(given: Any, refuse: Callable[[str], Any]) -> tuple[str, ...]:
    """Return dotted paths as a tuple: none is another one, or lies inside another one."""
    paths = (given,) if isinstance(given, str) else given
    if not isinstance(paths, Sequence | Set):
        refuse("dotted paths such as 'layer_1.weight'")
    paths = tuple(paths)
    if not paths or not all(isinstance(path, str) and path for path in paths):
        refuse("dotted paths such as 'layer_1.weight'")
    for i, path in enumerate(paths):
        for other in paths[:i]:
            if f"{path}.".startswith(f"{other}.") or f"{other}.".startswith(f"{path}."):
                refuse(f"paths that do not meet, not {other!r} and {path!r}")
    return paths


def entry_at(tree: Any, path: str, what: str = "ps") -> Any:
    """Return the entry of nested mappings at a dotted path."""
    for name in path.split("."):
        if not isinstance(tree, Mapping) or name not in tree:
            raise ParameterTreeError(f"{path!r} in {what}: there is no such entry")
        tree = tree[name]
    return tree


def without(tree: Any, paths: Iterable[str]) -> dict[str, Any]:
    """Return nested mappings without the entries at `paths`."""
    new = dict(checks.require_tree(tree, "ps"))
    inside: dict[str, list[str]] = {}
    for path in paths:
        name, _, rest = path.partition(".")
        if rest:
            inside.setdefault(name, []).append(rest)
        else:
            del new[name]
    return new | {name: without(new[name], rest) for name, rest in inside.items()}


def with_entries(tree: Any, entries: Mapping[str, Any]) -> dict[str, Any]:
    """Return nested mappings with an entry at each dotted path; the inverse of `without`."""
    new = dict(checks.require_tree(tree, "ps"))
    inside: dict[str, dict[str, Any]] = {}
    for path, value in entries.items():
        name, _, rest = path.partition(".")
        if rest:
            inside.setdefault(name, {})[rest] = value
        else:
            new[name] = value
    return new | {name: with_entries(new.get(name, {}), part) for name, part in inside.items()}
