"""Parts of batches, for workers that each take one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from portanet import trees
from portanet.data.batch import common_length
from portanet.interface import array_namespace, is_array
from portanet.losses.masked import MaskedBatch


class BatchPart(NamedTuple):
    """A part of a batch, and what it counts for.

    What a `portanet.distributed.DistributedLoader` gives each worker. The functions of
    `portanet.training` hand `data` to the loss, and weigh the gradient, so that the mean over the
    workers is that of the whole batch.

    Attributes
    ----------
    data : tree
        The part as a batch of its own: as the loader's batches, `MaskedBatch` too.
    samples : int
        How many samples it has. With 0 its data is a sample of another part, which does not count.
    total : int
        How many the whole batch has.
    parts : int
        How many parts there are.

    Examples
    --------
    >>> import numpy as np
    >>> import portanet as pn
    >>> loader = pn.data.DataLoader(np.arange(5), 3)
    >>> for part in loader.shared(0, 2):
    ...     print(part, part.weight)
    BatchPart(data=array([0, 1]), samples=2, total=3, parts=2) 1.3333333333333333
    BatchPart(data=array([3]), samples=1, total=2, parts=2) 1.0
    """

    data: Any
    samples: int
    total: int
    parts: int

    @property
    def weight(self) -> float:
        """What a mean over its samples counts for in a mean over the parts."""
        return self.samples * self.parts / self.total


def part_of(batch: Any) -> tuple[Any, BatchPart | None]:
    """Return what a loss gets of a batch, and the part of one that it is."""
    return (batch.data, batch) if isinstance(batch, BatchPart) else (batch, None)


@dataclass(frozen=True)
class Share:
    """Which part of each batch somebody takes: the one at `index` of `count`, in their order.

    Where the samples cannot be divided, the first parts have one more.
    """

    index: int
    count: int

    def bounds(self, total: int) -> tuple[int, int]:
        """Return where the samples of this part begin and end in a batch."""
        size, rest = divmod(total, self.count)
        start = self.index * size + min(self.index, rest)
        return start, start + size + (self.index < rest)

    def of(
        self, indices: slice | np.ndarray, mask: np.ndarray | None
    ) -> tuple[slice | np.ndarray, np.ndarray | None, BatchPart]:
        """Return the numbers of the samples of this part of a batch, its mask, and the part."""
        here = isinstance(indices, slice)
        total = indices.stop - indices.start if here else len(indices)
        start, stop = self.bounds(total)
        count = samples = stop - start
        if not count:
            start, stop = 0, 1
        if mask is not None:
            total = int(np.count_nonzero(mask))
            mask = mask[start:stop] if count else np.zeros(1, np.bool_)
            samples = int(np.count_nonzero(mask))
        own = slice(start, stop)
        taken = slice(indices.start + start, indices.start + stop) if here else indices[own]
        return taken, mask, BatchPart(None, samples, total, self.count)

    def cut(self, batch: Any) -> BatchPart:
        """Return this part of a batch whose arrays have the samples along their first axis."""
        data, mask = batch if isinstance(batch, MaskedBatch) else (batch, None)
        total = common_length(data, "a batch")
        start, stop = self.bounds(total)
        samples = stop - start
        own = slice(start, stop) if samples else slice(0, 1)
        data = trees.map_leaves(lambda x: x[own, ...] if is_array(x) else x, data)
        if mask is not None:
            xp = array_namespace(mask)
            total = int(xp.count_nonzero(mask))
            mask = mask[own] if samples else xp.zeros_like(mask[own])
            samples = int(xp.count_nonzero(mask))
            data = MaskedBatch(data, mask)
        return BatchPart(data, samples, total, self.count)
