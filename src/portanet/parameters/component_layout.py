"""Where the parts of a `ComponentVector` are in its data."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from portanet.errors import ParameterTreeError


@dataclass(frozen=True)
class Entry:
    """Where one name lives in the vector of its parent: an array of `shape`, or a part."""

    start: int
    stop: int
    inner: tuple[int, ...] | Layout


@dataclass(frozen=True, eq=False)
class Layout:
    """The names of a tree, as they were written, and where their entries are in the vector."""

    entries: tuple[tuple[str, Entry], ...]
    size: int

    @cached_property
    def by_name(self) -> dict[str, Entry]:
        return dict(self.entries)

    # Order of writing is for display: layouts are the same when the same names mean the same.
    def __eq__(self, other: object) -> bool:
        return self is other or (isinstance(other, Layout) and self.by_name == other.by_name)

    def __hash__(self) -> int:
        return hash(frozenset(self.entries))


def layout_of(tree: Any, path: str = "") -> Layout:
    if not isinstance(tree, Mapping) or not all(isinstance(name, str) for name in tree):
        where = f" at {path!r}" if path else ""
        raise ParameterTreeError(
            f"ComponentVector: the tree is a dict with string keys{where}: got "
            f"{type(tree).__name__}"
            + (f" with keys {list(tree)}" if isinstance(tree, Mapping) else "")
        )
    entries: dict[str, Entry] = {}
    start = 0
    for name in sorted(tree):
        part = tree[name]
        if isinstance(part, Mapping) or not hasattr(part, "shape"):
            inner = layout_of(part, f"{path}.{name}" if path else name)
            size = inner.size
        else:
            inner = tuple(part.shape)
            size = math.prod(inner)
        entries[name] = Entry(start, start + size, inner)
        start += size
    return Layout(tuple((name, entries[name]) for name in tree), start)


def names(layout: Layout) -> str:
    shown = (
        f"{name}: {names(entry.inner) if isinstance(entry.inner, Layout) else entry.inner}"
        for name, entry in layout.entries
    )
    return f"{{{', '.join(shown)}}}"
