"""What `fit` and `evaluate` take for data, as batches on the device of a training state."""

from __future__ import annotations

import itertools
from collections.abc import Generator, Iterable, Iterator, Mapping
from typing import Any

from portanet.data import DataLoader
from portanet.data.source import is_tree_of_arrays
from portanet.devices import Device
from portanet.distributed import DistributedLoader
from portanet.errors import ArgumentError, shown


class Batches:
    """Batches of any source, epoch after epoch.

    Parameters
    ----------
    data : DataLoader, tree of arrays, or iterable of batches
    place : Device or None
        Where batches are moved; None leaves them where they are.
    what : str
        What messages call the data.
    apart : bool
        Whether a loader stays where it is.
    """

    def __init__(
        self, data: Any, place: Device | None, what: str = "data", *, apart: bool = False
    ) -> None:
        data = data.local if isinstance(data, DistributedLoader) else data
        self._data = data
        self._place = place
        self._what = what
        self._loader: DataLoader | None = None
        self._begun = 0
        self._epoch: int | None = None
        self._over = True
        if isinstance(data, DataLoader):
            loader = data.apart() if apart else data
            self._loader = loader if place is None else loader.on_device(place)
        elif is_tree_of_arrays(data):
            self._data, self._place = [data if place is None else place(data)], None
        elif isinstance(data, tuple):
            wrong = next((x for x in data if not is_tree_of_arrays(x)), data)
            raise ArgumentError(
                f"{what} is a tuple of arrays as one batch, or a list of batches: got a tuple with "
                f"{shown(wrong)}: convert it first, for example with numpy.asarray"
            )
        elif not isinstance(data, Iterable) or isinstance(data, str | bytes | Mapping):
            raise ArgumentError(
                f"{what} is a DataLoader, a tuple of arrays as one batch, or an iterable of "
                f"batches: got {shown(data)}"
            )

    def __len__(self) -> int:
        """Return the number of batches of an epoch, 0 if that is not known."""
        try:
            return len(self._data)
        except TypeError:
            return 0

    def __iter__(self) -> Iterator[Any]:
        """Yield the batches of the next epoch, or the rest of one that is taken up again."""
        first, self._begun = self._begun, 0
        found = first > 0
        for batch in self._of_epoch(first):
            found = True
            yield batch
        if not found:
            raise ArgumentError(
                f"{self._what} has at least one batch an epoch: got none: a generator ends after "
                f"the first epoch, give what can be iterated again"
            )

    def _of_epoch(self, first: int) -> Generator[Any]:
        if self._loader is None:
            rest = itertools.islice(self._data, first, None)
            yield from rest if self._place is None else map(self._place, rest)
            return
        batches = iter(self._loader)
        self._epoch, self._over = self._loader.state()["epoch"], False
        yield from batches
        self._over = True

    def close(self) -> None:
        """End what makes batches ahead."""

    def state(self, batch: int) -> dict[str, Any]:
        """Return where an epoch is of which `batch` batches have been used; 0 is before the next.

        A loader may have handed out one that was not used.
        """
        if self._loader is None:
            return {"batch": batch}
        state = self._loader.state()
        if self._epoch is None:
            return state
        follows = self._over and batch == 0
        return {**state, "epoch": self._epoch + follows, "batch": batch}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go to where `state` was asked for."""
        self._begun = state["batch"]
        if self._loader is not None:
            self._loader.restore(state)
            self._epoch, self._over = None, False
