"""What stands in a tree for a layer that waits for its input."""

from __future__ import annotations

from typing import Any

from portanet import trees


class Unresolved:
    """Stands in a tree for what a layer will hold once the sizes of its input are known."""

    def __init__(self, layer: Any) -> None:
        self.layer = layer
        self.known: Any = None
        self.search: Search | None = None

    def __repr__(self) -> str:
        return f"Unresolved({self.layer!r})"


class Search:
    """The run that finds out the sizes; it ends when the last layer knows its own."""

    def __init__(self, left: int) -> None:
        self.left = left

    def note(self, place: Unresolved, known: Any) -> None:
        place.known = known
        self.left -= 1
        if not self.left:
            raise Finished


class Finished(BaseException):
    """Every size is known: nothing more has to be computed."""


def is_unresolved(tree: Any) -> bool:
    """Whether a layer in a tree waits for its input."""
    return any(isinstance(leaf, Unresolved) for leaf in trees.leaves(tree))
