"""The arguments of a function that is exported: what they are called, and an example of each."""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from portanet import trees
from portanet.errors import ArgumentError, BackendMismatchError, ShapeError, shown
from portanet.interface import backend_of, is_array

Path = str | os.PathLike[str]


def path_of(verb: str, path: Path) -> str:
    """Return a path as a text, or refuse what is none."""
    if not isinstance(path, str | os.PathLike):
        raise ArgumentError(f"pn.export.{verb}: path is a text or a path: got {shown(path)}")
    return str(os.fspath(path))


@dataclass(frozen=True)
class Arguments:
    """Examples of the arguments of a function.

    Parameters
    ----------
    names : list of str
        What the function calls them.
    examples : list of tree
    batch_axis : int or None
        The axis of all arrays along which their length is free.
    """

    names: list[str]
    examples: list[Any]
    batch_axis: int | None

    @property
    def leaves(self) -> list[np.ndarray]:
        """The arrays, in the order of the inputs of the program."""
        return trees.leaves(self.examples)

    @property
    def paths(self) -> list[str]:
        """What to call each array, such as ``x`` or ``batch.ids``."""
        named = zip(self.names, self.examples, strict=True)
        parts = [(name, path) for name, x in named for path, _ in trees.flatten_with_paths(x)]
        return [f"{name}.{path}" if path else name for name, path in parts]

    @property
    def size(self) -> int | None:
        """The length along the batch axis."""
        return None if self.batch_axis is None else self.leaves[0].shape[self.batch_axis]

    def filled(self, leaves: Sequence[Any]) -> list[Any]:
        """Return the arguments with other arrays in the places of the examples."""
        return trees.unflatten(trees.flatten(self.examples)[1], list(leaves))

    def of_size(self, size: int) -> Arguments:
        """Return examples of another length: the first ones, as often as it takes."""
        rows = np.arange(size) % (self.size or 1)
        taken = [np.take(x, rows, axis=self.batch_axis) for x in self.leaves]
        return Arguments(self.names, self.filled(taken), self.batch_axis)


def arguments_of(
    function: Callable[..., Any], examples: Sequence[Any], batch_axis: int | None
) -> Arguments:
    """Return the arguments that are given by examples.

    Raises
    ------
    ArgumentError
        Where the function is none, there is no array, or `batch_axis` is no axis.
    BackendMismatchError
        Where one is no array of NumPy.
    ShapeError
        Where the arrays have not one length along the batch axis.
    """
    if not callable(function):
        raise ArgumentError(f"function is callable: got {shown(function)}")
    if batch_axis is not None and (type(batch_axis) is not int or batch_axis < 0):
        raise ArgumentError(f"batch_axis is None or an axis from 0 on: got {shown(batch_axis)}")
    arguments = Arguments(_names(function, len(examples)), list(examples), batch_axis)
    if not arguments.leaves:
        raise ArgumentError("there is at least one example array, such as a batch of inputs")
    sizes = {}
    for path, x in zip(arguments.paths, arguments.leaves, strict=True):
        if not is_array(x) or backend_of(x).name != "numpy":
            raise BackendMismatchError(
                f"examples are arrays of NumPy, or trees of them: {path} is {shown(x)}; "
                "pn.device('numpy') moves them, and what the function holds"
            )
        if batch_axis is not None:
            if x.ndim <= batch_axis or not x.shape[batch_axis]:
                raise ShapeError(
                    f"each example has entries along batch_axis={batch_axis}: {path} has shape "
                    f"{x.shape}; batch_axis=None exports for these shapes alone"
                )
            sizes[path] = x.shape[batch_axis]
    if len(set(sizes.values())) > 1:
        raise ShapeError(
            f"examples have one length along batch_axis={batch_axis}: got {sizes}; "
            "batch_axis=None exports for these shapes alone"
        )
    return arguments


def _names(function: Callable[..., Any], count: int) -> list[str]:
    try:
        parameters = list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):
        parameters = []
    positional = inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD
    named = [p.name for p in parameters if p.kind in positional]
    return [named[i] if i < len(named) else f"x{i}" for i in range(count)]
