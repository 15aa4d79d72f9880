"""Epochs of a given number of batches, wherever the data end."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping
from typing import Any

from portanet.devices import Device
from portanet.errors import ArgumentError
from portanet.training.batches import Batches

_END: Any = object()


class Portions(Batches):
    """Batches of any source, so many in each epoch: what follows comes in the next one.

    A source that ends begins again.

    Parameters
    ----------
    data : DataLoader, tree of arrays, or iterable of batches
    place : Device or None
        Where batches are moved; None leaves them where they are.
    steps : int
        The batches of an epoch.
    """

    def __init__(self, data: Any, place: Device | None, steps: int) -> None:
        super().__init__(data, place)
        self._steps = steps
        self._stream: Generator[Any] | None = None
        self._of_stream = 0  # batches that it has handed out
        self._of_epoch_taken = 0

    def __len__(self) -> int:
        """Return the number of batches of an epoch."""
        return self._steps

    def __iter__(self) -> Iterator[Any]:
        """Yield the batches of the next epoch, or the rest of one that is taken up again."""
        if self._over:
            self._of_epoch_taken = 0
        self._over = False
        while self._of_epoch_taken < self._steps:
            batch = self._following()
            self._of_epoch_taken += 1
            yield batch
        self._over = True

    def _following(self) -> Any:
        """Return the next batch, of the source begun again where it has ended."""
        for _ in range(2):
            if self._stream is None:
                self._of_stream, self._begun = self._begun, 0
                self._stream = self._of_epoch(self._of_stream)
            batch = next(self._stream, _END)
            if batch is not _END:
                self._of_stream += 1
                return batch
            self._stream = None
        raise ArgumentError(
            f"{self._what} has {self._steps} batches for an epoch, as steps_per_epoch says: it "
            f"ended after {self._of_epoch_taken} and has no more: give what can be iterated again, "
            f"or does not end"
        )

    def close(self) -> None:
        if self._stream is not None:
            self._stream.close()

    def state(self, batch: int) -> dict[str, Any]:
        """Return where an epoch is of which `batch` batches have been used; 0 is before the next.

        One that was handed out and not used comes again.
        """
        unused = 0 if self._over else self._of_epoch_taken - batch
        position: dict[str, Any] = {"batch": self._of_stream}
        if self._loader is not None:
            position = self._loader.state()
        position["batch"] -= unused
        return {**position, "step": batch}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go to where `state` was asked for."""
        position = {name: x for name, x in state.items() if name != "step"}
        self._stream, self._over, self._of_epoch_taken = None, False, state["step"]
        if self._loader is None:
            self._begun = self._of_stream = position["batch"]
        else:
            self._loader.restore(position)
