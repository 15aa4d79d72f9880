"""The arrays of a file in the places of a tree that says what is expected."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from portanet import trees
from portanet.devices import Device
from portanet.errors import DTypeError, ParameterTreeError, ShapeError
from portanet.io import _entries, _leaves


def matched(
    path: str, arrays: Mapping[str, np.ndarray], like: Any, place: Device | None, *, width: bool
) -> Any:
    """Return a tree like `like` of a file's arrays; without `width`, with the dtypes of the file.

    All is checked before anything is moved.
    """
    tree = _entries.plain(like)
    named = trees.flatten_with_paths(tree)
    for name, leaf in named:
        _leaves.check(name, leaf)
    _check(path, named, arrays, width=width)
    leaves = [
        _leaves.restored(name, arrays[name], leaf, place, width=width) for name, leaf in named
    ]
    return _entries.rebuilt(like, trees.unflatten(trees.flatten(tree)[1], leaves))


def _check(
    path: str, named: list[tuple[str, Any]], arrays: Mapping[str, np.ndarray], *, width: bool
) -> None:
    names = [name for name, _ in named]
    missing = [name for name in names if name not in arrays]
    surplus = sorted(set(arrays) - set(names))
    if missing or surplus:
        raise ParameterTreeError(
            f"{path!r}: the entries differ: missing {missing or 'none'}, "
            f"unexpected {surplus or 'none'}"
        )
    wrong = [
        f"{name!r} {arrays[name].shape} != {shape}"
        for name, leaf in named
        if (shape := _leaves.shape_of(leaf)) not in (None, arrays[name].shape)
    ]
    if wrong:
        raise ShapeError(f"{path!r}: the shapes differ: {', '.join(wrong)}")
    wrong = [
        f"{name!r} {arrays[name].dtype} in {_leaves.kind_of(leaf)}"
        for name, leaf in named
        if not _leaves.fits(arrays[name], leaf, width=width)
    ]
    if wrong:
        raise DTypeError(
            f"{path!r}: like= cannot hold the numbers exactly: {', '.join(wrong)}: load without "
            "it and convert what shall be rounded"
        )
