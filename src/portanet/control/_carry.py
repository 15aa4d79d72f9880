"""Trees that go through a loop or a branch: which leaves change, and what must stay as it is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from portanet import trees
from portanet.errors import ArgumentError, DTypeError, ShapeError, shown
from portanet.interface import is_array, same_dtype
from portanet.random import Key


class Carry:
    """A tree whose arrays and random keys change from step to step, and nothing else.

    Parameters
    ----------
    tree : tree
    name : str
        What errors call it.
    """

    __slots__ = ("leaves", "name", "places", "structure", "tree")

    def __init__(self, tree: Any, name: str) -> None:
        self.tree = tree
        self.name = name
        self.leaves, self.structure = trees.flatten(tree)
        self.places = [i for i, x in enumerate(self.leaves) if is_array(x) or isinstance(x, Key)]

    @property
    def values(self) -> list[Any]:
        """The arrays and keys of the tree."""
        return [self.leaves[i] for i in self.places]

    def join(self, values: Sequence[Any]) -> Any:
        """Return the tree with `values` for its arrays and keys."""
        leaves = list(self.leaves)
        for i, x in zip(self.places, values, strict=True):
            leaves[i] = x
        return trees.unflatten(self.structure, leaves)

    def split(self, tree: Any) -> list[Any]:
        """Return the arrays and keys of another tree, which must fit this one."""
        leaves, structure = trees.flatten(tree)
        if structure != self.structure:
            trees.check_same_structure(self.tree, tree, self.name)
        for i, (old, new) in enumerate(zip(self.leaves, leaves, strict=True)):
            if not _fits(old, new):
                self._refuse(i, old, new)
        return [leaves[i] for i in self.places]

    def _refuse(self, i: int, old: Any, new: Any) -> None:
        path = trees.flatten_with_paths(self.tree)[i][0]
        where = f"{self.name}.{path}" if path else self.name
        if not is_array(old) or not is_array(new):
            raise ArgumentError(
                f"{where}: only arrays and random keys may change: {shown(new)} != {shown(old)}: "
                "make it an array"
            )
        if tuple(old.shape) != tuple(new.shape):
            raise ShapeError(f"{where}: shape {tuple(new.shape)} != {tuple(old.shape)}")
        raise DTypeError(f"{where}: dtype {new.dtype} != {old.dtype}: convert it with xp.astype")


def _fits(old: Any, new: Any) -> bool:
    if isinstance(old, Key):
        return isinstance(new, Key)
    if is_array(old):
        return is_array(new) and same_dtype(old, new) and tuple(old.shape) == tuple(new.shape)
    return type(old) is type(new) and (old is new or bool(old == new))


class Results:
    """The structure, shapes and dtypes that every run of a function must give.

    The first tree sets them; its leaves must be arrays.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.first: Any = None

    def split(self, tree: Any) -> list[Any]:
        """Return the leaves of a tree, which must fit the first one."""
        if self.first is None:
            for path, leaf in trees.flatten_with_paths(tree):
                if not is_array(leaf):
                    where = f"{self.name}.{path}" if path else self.name
                    raise ArgumentError(f"{where}: an array, not {type(leaf).__name__}")
            self.first = Carry(tree, self.name)
        return self.first.split(tree)

    def join(self, leaves: Sequence[Any]) -> Any:
        """Return a tree of that structure."""
        return trees.unflatten(self.first.structure, leaves)


def check_function(name: str, what: str, function: Callable[..., Any]) -> None:
    if not callable(function):
        raise ArgumentError(f"{name}: {what} is a function: got {type(function).__name__}")


def check_predicate(name: str, x: Any) -> None:
    if not is_array(x):
        raise ArgumentError(f"{name} is a boolean or an array of one: got {type(x).__name__}")
    if tuple(x.shape) != ():
        raise ShapeError(
            f"{name}.shape == (): {tuple(x.shape)} != (): choose entry by entry with xp.where"
        )
    if "bool" not in str(x.dtype):
        raise DTypeError(f"{name} is boolean, not {x.dtype}: compare it")
