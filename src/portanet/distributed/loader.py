"""Each worker's part of the batches of a loader."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from portanet.data import BatchPart, DataLoader
from portanet.data.part import Share
from portanet.distributed.agreement import check_same
from portanet.distributed.group import current
from portanet.errors import ArgumentError, shown


class DistributedLoader:
    """The part of this worker of each batch of any loader.

    Batches are the loader's own, cut into as many parts of equal size as there are workers. Over an
    epoch each sample is seen once, by one worker, and training by any number of workers takes the
    steps of one that is given the loader itself. What `batch_size` says is the size of the whole
    batch.

    Parameters
    ----------
    loader : DataLoader or iterable of batches
        The same on all workers, with the same seed. Of a `portanet.data.DataLoader` each worker
        makes its own part alone. The batches of other iterables, whose arrays have the samples
        along their first axis, are made by all and then cut.

    Raises
    ------
    ArgumentError
        If there are no batches to iterate.
    DistributedError
        If the loaders of two workers differ, or `initialize` was not called.

    Notes
    -----
    Where the samples of a batch cannot be divided by the workers, the first parts have one more,
    and gradients are weighed by it. A part without samples has one of another's, with the weight 0.
    A transform draws other numbers for each part.

    Examples
    --------
    >>> import numpy as np
    >>> import portanet as pn
    >>> _ = pn.distributed.initialize()
    >>> loader = pn.data.DataLoader(np.arange(5), 3)
    >>> for part in pn.distributed.DistributedLoader(loader):
    ...     print(part.data, part.samples, part.total)
    [0 1 2] 3 3
    [3 4] 2 2
    """

    def __init__(self, loader: Any) -> None:
        engine = current()
        if not isinstance(loader, Iterable) or isinstance(loader, str | bytes | Mapping):
            raise ArgumentError(
                f"DistributedLoader: loader is a DataLoader or an iterable of batches: got "
                f"{shown(loader)}"
            )
        share = Share(engine.rank, engine.workers)
        if isinstance(loader, DataLoader):
            place = [f"{name} {value}" for name, value in loader.state().items()]
            check_same(engine, "the loader", place, "give all workers the same data and seed")
            self.local: Any = loader.shared(share.index, share.count)
        else:
            self.local = Parts(loader, share)

    def __len__(self) -> int:
        """Return the number of batches of an epoch."""
        return len(self.local)

    def __iter__(self) -> Iterator[BatchPart]:
        return iter(self.local)

    def __repr__(self) -> str:
        return f"DistributedLoader({self.local!r})"


class Parts:
    """The parts of the batches of an iterable."""

    def __init__(self, batches: Any, share: Share) -> None:
        self._batches = batches
        self._share = share

    def __len__(self) -> int:
        return len(self._batches)

    def __iter__(self) -> Iterator[BatchPart]:
        return map(self._share.cut, self._batches)

    def __repr__(self) -> str:
        return repr(self._batches)
