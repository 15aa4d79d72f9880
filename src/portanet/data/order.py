"""Which samples come in which batch of an epoch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from portanet import checks
from portanet.data.collate import bound_of, checked_bounds, numbers
from portanet.errors import ArgumentError, ShapeError, shown

_ORDER, _BATCH = 0, 1
"""What a generator is for, so that no two have the same numbers."""


@dataclass(frozen=True, eq=False)
class Buckets:
    """Batches of sequences of about one length.

    Each sample goes to the smallest bound that holds its length, and each batch has samples of one
    bound: `portanet.data.pad_sequences` with the same bounds gives as many shapes as there are
    bounds, and little is filled up.

    Parameters
    ----------
    lengths : sequence of int
        The length of each sample.
    bounds : sequence of int
        Increasing; the last one holds all.

    Raises
    ------
    ShapeError
        If a length is greater than the last bound.

    Examples
    --------
    >>> import portanet as pn
    >>> texts = ["a", "bcdefg", "hi", "jklmno"]
    >>> buckets = pn.data.Buckets([len(text) for text in texts], bounds=(2, 8))
    >>> list(pn.data.DataLoader(texts, 2, buckets=buckets, collate=list))
    [['a', 'hi'], ['bcdefg', 'jklmno']]
    """

    lengths: Sequence[int]
    bounds: Sequence[int]

    def __post_init__(self) -> None:
        object.__setattr__(self, "bounds", checked_bounds(self.bounds))
        lengths = numbers("Buckets: lengths", self.lengths)
        if lengths.ndim != 1 or lengths.dtype.kind not in "iu" or np.any(lengths < 0):
            raise ArgumentError(f"Buckets: lengths are integers >= 0: got {shown(self.lengths)}")
        if lengths.size:
            bound_of(int(lengths.max()), tuple(self.bounds))
        object.__setattr__(self, "lengths", lengths)

    def members(self) -> list[np.ndarray]:
        """Return the numbers of the samples of each bucket that has any."""
        bucket = np.searchsorted(self.bounds, self.lengths)
        found = [np.flatnonzero(bucket == i) for i in range(len(self.bounds))]
        return [numbers for numbers in found if numbers.size]


@dataclass(frozen=True)
class Order:
    """The order of the samples of a dataset.

    Parameters
    ----------
    samples, batch_size : int
    entropy : int or None
        What all generators are made of.
    shuffle, drop_last, pad : bool
    members : tuple of arrays
        The samples of each bucket; one bucket of all samples by default.
    """

    samples: int
    batch_size: int
    entropy: int | None
    shuffle: bool
    drop_last: bool
    pad: bool
    members: tuple[np.ndarray, ...] | None = None

    def __len__(self) -> int:
        """Return the number of batches of an epoch."""
        sizes = [self.samples] if self.members is None else map(len, self.members)
        rest = 0 if self.drop_last else self.batch_size - 1
        return sum((size + rest) // self.batch_size for size in sizes)

    def generator(self, epoch: int, batch: int | None = None, part: int = 0) -> np.random.Generator:
        """Return the generator of the order of an epoch, or of what is drawn for one batch.

        The parts of a batch after the first have generators of their own.
        """
        use = (_ORDER, 0) if batch is None else (_BATCH, batch, part)[: 3 if part else 2]
        return np.random.default_rng(np.random.SeedSequence(self.entropy, spawn_key=(epoch, *use)))

    def batches(self, epoch: int) -> Sequence[slice | np.ndarray]:
        """Return the numbers of the samples of each batch of an epoch, unfilled."""
        if self.members is not None:
            return self._of_buckets(epoch)
        starts = range(0, len(self) * self.batch_size, self.batch_size)
        if not self.shuffle:
            return [slice(start, min(start + self.batch_size, self.samples)) for start in starts]
        order = self.generator(epoch).permutation(self.samples)
        return [order[start : start + self.batch_size] for start in starts]

    def _of_buckets(self, epoch: int) -> Sequence[np.ndarray]:
        rng = self.generator(epoch) if self.shuffle else None
        found: list[np.ndarray] = []
        for member in self.members or ():
            order = member if rng is None else rng.permutation(member)
            end = len(order) - len(order) % self.batch_size if self.drop_last else len(order)
            found += [order[i : i + self.batch_size] for i in range(0, end, self.batch_size)]
        return found if rng is None else [found[i] for i in rng.permutation(len(found))]

    def filled(self, indices: slice | np.ndarray) -> tuple[slice | np.ndarray, np.ndarray]:
        """Return the numbers of a whole batch, repeated where there are too few, and its mask."""
        numbers = np.arange(indices.start, indices.stop) if isinstance(indices, slice) else indices
        mask = np.arange(self.batch_size) < len(numbers)
        if len(numbers) == self.batch_size:
            return indices, mask
        return np.resize(numbers, self.batch_size), mask


def entropy_of(rng: Any) -> int | None:
    """Return what all generators of a loader are made of; a generator that is given moves on."""
    if rng is None:
        return None
    if isinstance(rng, np.random.Generator):
        return int(rng.integers(2**63))
    return checks.integer("rng, a seed or a numpy.random.Generator,", rng, 0)


def members_of(buckets: Any, samples: int) -> tuple[np.ndarray, ...] | None:
    """Return the samples of each bucket, None without any."""
    if buckets is None:
        return None
    if not isinstance(buckets, Buckets):
        raise ArgumentError(
            f"DataLoader: buckets is one pn.data.Buckets(lengths, bounds): got {shown(buckets)}"
        )
    if len(buckets.lengths) != samples:
        raise ShapeError(f"len(buckets.lengths) == len(data): {len(buckets.lengths)} != {samples}")
    return tuple(buckets.members())
