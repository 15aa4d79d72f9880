"""Where a call can be given something else: its arguments, and the entries of trees in them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from portanet import trees
from portanet.training import TrainState

MOST = 6
"""Entries of one tree that are looked into; the rest of a large model is more of the same."""


Path = tuple[Any, ...]


@dataclass(frozen=True)
class Call:
    """A valid call of something public."""

    name: str
    function: Callable[..., Any]
    args: tuple[Any, ...] = ()
    options: dict[str, Any] = field(default_factory=dict)
    kept: tuple[Path, ...] = ()
    """Places that are part of the test, not of the call."""
    arrays: tuple[Path, ...] = ()
    """Places that take arrays of the call's library and nothing else, but for None."""


def places(call: Call) -> Iterator[Path]:
    """Walk over the paths into ``(args, options)``."""
    for i, value in enumerate(call.args):
        yield from (path for path in _below((0, i), value) if path not in call.kept)
    for name, value in call.options.items():
        yield from _below((1, name), value)


def _below(path: Path, value: Any) -> Iterator[Path]:
    yield path
    if isinstance(value, dict):
        entries = list(value.items())
    elif type(value) in (list, tuple):
        entries = list(enumerate(value))
    else:
        return
    for key, entry in entries[:MOST]:
        yield from _below((*path, key), entry)


def at(call: Call, path: Path) -> Any:
    """Return what a call has at a path."""
    found: Any = (call.args, call.options)
    for key in path:
        found = found[key]
    return found


def replaced(call: Call, path: Path, value: Any) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Return the arguments of a call with `value` at a path."""
    args, options = _replaced((call.args, call.options), path, value)
    return args, options


def _replaced(tree: Any, path: Path, value: Any) -> Any:
    if not path:
        return value
    first, *rest = path
    if isinstance(tree, dict):
        return {**tree, first: _replaced(tree[first], tuple(rest), value)}
    entries = list(tree)
    entries[first] = _replaced(entries[first], tuple(rest), value)
    return type(tree)(entries)


def copied(tree: Any) -> Any:
    """Return new containers and arrays that a call may donate: none sees what another one did."""
    if isinstance(tree, dict):
        return {key: copied(value) for key, value in tree.items()}
    if type(tree) in (list, tuple):
        return type(tree)(map(copied, tree))
    if isinstance(tree, np.random.Generator):
        return np.random.default_rng(0)
    if isinstance(tree, TrainState):
        return trees.map_leaves(copied, tree)
    return tree.copy() if type(tree).__module__.startswith("jax") else tree


def spelled(path: Path) -> str:
    """Return a path as text."""
    first, name, *rest = path
    start = f"argument {name}" if first == 0 else f"{name}="
    return start + "".join(f"[{key!r}]" for key in rest)
