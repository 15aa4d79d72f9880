"""Where samples come from: trees of arrays, or datasets that give one sample at a time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np

from portanet import trees
from portanet.data.batch import common_length
from portanet.data.collate import stack
from portanet.devices import Device, get_device
from portanet.errors import ArgumentError, shown
from portanet.interface import array_namespace, backend_of, is_array

Indices = slice | np.ndarray


class Source(Protocol):
    """Samples by their numbers."""

    device: Device | None
    """Where all batches are, None if that is not known."""

    def __len__(self) -> int: ...

    def take(self, indices: Indices) -> Any:
        """Return the batch of some samples."""
        ...


class ArraySource:
    """Trees of arrays, whose samples lie along the first axis."""

    def __init__(self, tree: Any) -> None:
        self._leaves, self._structure = trees.flatten(tree)
        self._length = common_length(tree, "data")
        self.device = get_device(tree)
        self._of_numpy = all(isinstance(x, np.ndarray) for x in self._leaves)

    def __len__(self) -> int:
        return self._length

    def take(self, indices: Indices) -> Any:
        if isinstance(indices, slice):
            leaves = [_copied(x[indices, ...]) for x in self._leaves]
        elif self._of_numpy:
            leaves = [x[indices] for x in self._leaves]
        else:
            leaves = _taken(self._leaves, indices, self._length)
        return trees.unflatten(self._structure, leaves)


def _copied(x: Any) -> Any:
    """Return a batch of its own: what is written into it does not reach the data."""
    return array_namespace(x).asarray(x, copy=True)


def _taken(leaves: list[Any], indices: np.ndarray, length: int) -> list[Any]:
    """Return rows of arrays of another library than NumPy."""
    backend = backend_of(*leaves)
    kind = np.int32 if length < 2**31 else np.int64  # JAX has no others unless told to
    rows = backend.from_numpy(indices.astype(kind), backend.device_of(leaves[0]))
    return [backend.xp.take(x, rows, axis=0) for x in leaves]


class SampleSource:
    """A dataset with ``len(dataset)`` and ``dataset[i]``, and how its samples make a batch."""

    device: Device | None = None

    def __init__(self, dataset: Any, collate: Callable[[Sequence[Any]], Any] | None) -> None:
        self._dataset = dataset
        self._collate = collate or stack

    def __len__(self) -> int:
        return len(self._dataset)

    def take(self, indices: Indices) -> Any:
        numbers = range(len(self))[indices] if isinstance(indices, slice) else indices.tolist()
        several = getattr(self._dataset, "__getitems__", None)  # of torch and Hugging Face
        if several is not None:
            samples = list(several(list(numbers)))
        else:
            samples = [self._dataset[i] for i in numbers]
        return self._collate(samples)


def is_tree_of_arrays(data: Any) -> bool:
    """Whether `data` is an array or a tree of nothing but arrays; a list is one of samples."""
    if isinstance(data, list):
        return False
    found = trees.leaves(data)
    return bool(found) and all(map(is_array, found))


def source_of(data: Any, collate: Callable[[Sequence[Any]], Any] | None) -> Source:
    """Return the source of the samples of arrays or of a dataset."""
    if is_tree_of_arrays(data):
        if collate is not None:
            raise ArgumentError(
                "DataLoader: collate makes a batch of samples, and arrays come as batches: use "
                "transform="
            )
        return ArraySource(data)
    indexed = hasattr(data, "__len__") and hasattr(data, "__getitem__")
    if not indexed or _is_table(data) or isinstance(data, str | bytes | dict | tuple):
        tables = list(filter(_is_table, trees.leaves(data)))
        raise ArgumentError(
            "DataLoader: data is an array, a tuple or dict of arrays, or a dataset with "
            "len(data) and data[i]: got "
            + (f"a {type(tables[0]).__name__}: take its to_numpy()" if tables else shown(data))
        )
    return SampleSource(data, collate)


def _is_table(x: Any) -> bool:
    """Whether `x` goes by labels, as those of pandas: ``x[i]`` may be a column, or another row."""
    return hasattr(x, "to_numpy") and not is_array(x)
