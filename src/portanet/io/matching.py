"""What a file has in the places of a tree that says what is expected."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeAlias

import optree

from portanet import trees
from portanet.devices import Device
from portanet.errors import ArgumentError, DTypeError, ParameterTreeError, ShapeError, shown
from portanet.io import _entries, _leaves
from portanet.io._structure import Contents, contents

Leaves: TypeAlias = Mapping[str, Any]
Only: TypeAlias = str | Sequence[str] | Callable[[str, Any], bool]
"""A choice of entries: the dotted paths of entries or of parts, or a function of path and entry."""


def matched(
    where: str, found: Any, like: Any, place: Device | None = None, *, only: Only | None = None
) -> Any:
    """Return a tree like `like` of one of dicts, lists, tuples and leaves that was found.

    With `only`, what is not chosen stays as it is in `like`. All is checked before anything is
    moved, and an error names every difference.
    """
    return _matched(where, contents(found), like, place, only, width=True)


def matched_arrays(
    where: str,
    arrays: Leaves,
    like: Any,
    place: Device | None = None,
    *,
    only: Only | None = None,
    width: bool = True,
) -> Any:
    """Return a tree like `like` of arrays by path; without `width`, with their own dtypes."""
    return _matched(where, Contents(arrays), like, place, only, width=width)


def _matched(
    where: str,
    found: Contents,
    like: Any,
    place: Device | None,
    only: Only | None,
    *,
    width: bool,
) -> Any:
    tree = _entries.plain(like)
    wanted = contents(tree)
    needed: Leaves = _chosen(only, wanted.leaves)
    given: Leaves = found.leaves if only is None else _of_choice(only, found.leaves)
    if found.containers is None:  # nor does it know of None and of empty containers
        needed = {name: x for name, x in needed.items() if not _is_nothing(x)}
        for name, x in needed.items():
            _leaves.check(name, x)
    containers = _other_containers(wanted, found, needed)
    advice = _advice([name for name in needed if name not in given], found.leaves)
    _check(where, needed, given, containers, advice, width=width)
    paths, leaves, structure = optree.tree_flatten_with_path(
        tree, none_is_leaf=True, namespace=trees.NAMESPACE
    )
    for i, path in enumerate(paths):
        name = ".".join(map(str, path))
        if name in needed:
            leaves[i] = _leaves.restored(name, given[name], leaves[i], place, width=width)
    return _entries.rebuilt(like, optree.tree_unflatten(structure, leaves))


def _is_nothing(x: Any) -> bool:
    return x is None or (isinstance(x, dict | list | tuple) and not x)


def _chosen(only: Only | None, leaves: Leaves) -> Leaves:
    """Return the leaves that are chosen; a choice of nothing is refused."""
    if only is None:
        return leaves
    if not callable(only):
        paths = [only] if isinstance(only, str) else only
        if not isinstance(paths, list | tuple) or not all(isinstance(x, str) for x in paths):
            raise ArgumentError(
                f"only is a path, a list of paths, or a function only(path, x): got {shown(only)}"
            )
        for path in paths:
            if not _of_choice(path, leaves):
                raise ParameterTreeError(
                    f"only: nothing is at {path!r} in like: its paths are {list(leaves)}"
                )
    found = _of_choice(only, leaves)
    if not found:
        raise ParameterTreeError(f"only chooses nothing in like: its paths are {list(leaves)}")
    return found


def _of_choice(only: Only, leaves: Leaves) -> Leaves:
    if callable(only):
        return {name: x for name, x in leaves.items() if only(name, x)}
    paths = [only] if isinstance(only, str) else only
    return {
        name: x
        for name, x in leaves.items()
        if any(name == path or name.startswith(f"{path}.") for path in paths)
    }


def _other_containers(wanted: Contents, found: Contents, needed: Leaves) -> list[str]:
    """Return where what is needed lies in another kind of container."""
    if found.containers is None or wanted.containers is None:
        return []
    above = {part for name in needed for part in _above(name)}
    return [
        f"{path!r} {found.containers[path]} != {kind}"
        for path, kind in wanted.containers.items()
        if path in above and found.containers.get(path, kind) != kind
    ]


def _advice(missing: list[str], found: Leaves) -> str:
    """Return where all that is missing lies one level below, as a training state in a run."""
    for part in dict.fromkeys(name.partition(".")[0] for name in found):
        if missing and all(f"{part}.{name}" in found for name in missing):
            return f" (it is at {part!r}: give like={{{part!r}: …}} and only={part!r} or below)"
    return ""


def _above(name: str) -> Iterable[str]:
    parts = name.split(".")
    return (".".join(parts[:i]) for i in range(len(parts)))


def _check(
    where: str, needed: Leaves, given: Leaves, containers: list[str], advice: str, *, width: bool
) -> None:
    """Raise an error with every difference; its class is that of the first kind of them."""
    missing = [name for name in needed if name not in given]
    surplus = sorted(set(given) - set(needed))
    entries = f"missing {missing or 'none'}, unexpected {surplus or 'none'}{advice}"
    common = [(name, given[name], leaf) for name, leaf in needed.items() if name in given]
    shapes = [
        f"{name!r} {tuple(x.shape)} != {shape}"
        for name, x, leaf in common
        if (shape := _leaves.shape_of(leaf, x)) is not None and tuple(x.shape) != shape
    ]
    kinds = [
        f"{name!r} {_leaves.kind_of(x)} in {_leaves.kind_of(leaf)}"
        for name, x, leaf in common
        if not _leaves.fits(x, leaf, width=width)
    ]
    differences = [
        (ParameterTreeError, f"the entries differ: {entries}", missing or surplus),
        (ParameterTreeError, f"the containers differ: {', '.join(containers)}", containers),
        (ShapeError, f"the shapes differ: {', '.join(shapes)}", shapes),
        (
            DTypeError,
            f"like= cannot hold the numbers exactly: {', '.join(kinds)}: load without it and "
            f"convert what shall be rounded",
            kinds,
        ),
    ]
    there = [(error, text) for error, text, which in differences if which]
    if there:
        raise there[0][0](f"{where!r}: {'; '.join(text for _, text in there)}")
