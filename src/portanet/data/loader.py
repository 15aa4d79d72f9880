"""Batches of a dataset, epoch after epoch."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from portanet import checks, devices
from portanet.data.order import Buckets, Order, entropy_of, members_of
from portanet.data.part import Share
from portanet.data.prefetch import ahead
from portanet.data.source import source_of
from portanet.devices import Device
from portanet.errors import ArgumentError, HyperparameterError, shown
from portanet.losses.masked import MaskedBatch


@dataclass(slots=True)
class Position:
    """Where loaders of one dataset are: the epoch, and how many of its batches were handed out."""

    order: Order
    epoch: int = 0
    batch: int = 0
    fresh: bool = True


class DataLoader:
    """Batches of arrays or of a dataset: an iterable whose every turn is an epoch.

    Parameters
    ----------
    data : array, tuple or dict of arrays, or dataset
        Arrays of any library with the samples along their first axis; or anything with
        ``len(data)`` and ``data[i]``, such as a list of samples, a torch or a Hugging Face dataset.
    batch_size : int, default 32
    shuffle : bool, default False
        Whether every epoch has an order of its own. It needs `rng`.
    rng : int or numpy.random.Generator, optional
        What orders and transforms are drawn from: a seed >= 0, or a generator, of which one
        number is taken at once. The numbers of an epoch depend on it and on the epoch alone.
    drop_last : bool, default False
        Whether to leave out a last batch with fewer samples.
    pad : bool, default False
        Whether to fill such a batch up with samples of its own, so that one recorded program serves
        all: batches are `MaskedBatch`, the data and a mask.
    buckets : Buckets, optional
        Samples of about one length in each batch.
    collate : callable, optional
        Makes a batch of the list of samples of a dataset. `stack` by default.
    transform : callable, optional
        Changes a batch before it is moved, ``transform(rng, batch)``, with a generator of its own
        for each batch. It needs `rng`.
    device : Device or str, optional
        Where batches are moved; ``pn.gpu_device()(loader)`` sets it too.
    prefetch : int, default 0
        How many batches a thread makes and moves ahead.

    Raises
    ------
    ShapeError
        If arrays have different numbers of samples, or there are none.
    ArgumentError, HyperparameterError
        If an argument is of the wrong kind or out of range.

    Notes
    -----
    `state` says where the loader is, after the batch that was handed out last, and `restore` goes
    there: the batches that follow are those of the loader that never stopped, bit for bit. A loop
    that was left is not taken up otherwise: the next one begins a new epoch.

    Examples
    --------
    >>> import numpy as np
    >>> import portanet as pn
    >>> x, y = np.arange(6.0).reshape(3, 2), np.asarray([0, 1, 0])
    >>> for batch_x, batch_y in pn.data.DataLoader((x, y), 2, shuffle=True, rng=0):
    ...     print(batch_x.tolist(), batch_y)
    [[4.0, 5.0], [0.0, 1.0]] [0 0]
    [[2.0, 3.0]] [1]
    """

    def __init__(
        self,
        data: Any,
        batch_size: int = 32,
        *,
        shuffle: bool = False,
        rng: Any = None,
        drop_last: bool = False,
        pad: bool = False,
        buckets: Buckets | None = None,
        collate: Callable[[Sequence[Any]], Any] | None = None,
        transform: Callable[[np.random.Generator, Any], Any] | None = None,
        device: Device | str | None = None,
        prefetch: int = 0,
    ) -> None:
        batch_size = checks.integer("DataLoader: batch_size", batch_size, 1)
        self.prefetch = checks.integer("DataLoader: prefetch", prefetch, 0)
        for name, flag in (("shuffle", shuffle), ("drop_last", drop_last), ("pad", pad)):
            checks.flag_of(f"DataLoader: {name}", flag)
        for name, function in (("collate", collate), ("transform", transform)):
            if function is not None:
                checks.function_of(f"DataLoader: {name}", function)
        if pad and drop_last:
            raise HyperparameterError(
                "DataLoader: pad fills up what drop_last leaves out: not both"
            )
        if rng is None and (shuffle or transform is not None):
            what = "shuffle" if shuffle else "transform"
            raise HyperparameterError(f"DataLoader: {what} needs rng, a seed or a generator")
        if transform is not None and not checks.takes(transform, 2):
            raise ArgumentError(
                f"DataLoader: transform is a function transform(rng, batch): {shown(transform)} "
                f"does not take two arguments"
            )
        self._source = source_of(data, collate)
        samples = len(self._source)
        if samples == 0:
            raise HyperparameterError("DataLoader: data has at least one sample: got none")
        members = members_of(buckets, samples)
        flags = shuffle, drop_last, pad
        order = Order(samples, batch_size, entropy_of(rng), *flags, members)
        self._position = Position(order)
        if not len(self):
            raise HyperparameterError(
                f"DataLoader: drop_last leaves at least one batch: {samples} samples, batch_size "
                f"{batch_size}"
            )
        self._transform = transform
        self._share: Share | None = None
        self.device = device if isinstance(device, Device | None) else devices.device(device)

    @property
    def _order(self) -> Order:
        return self._position.order

    @property
    def batch_size(self) -> int:
        """How many samples a batch has, but for the last one."""
        return self._order.batch_size

    @property
    def samples(self) -> int:
        """How many samples there are."""
        return self._order.samples

    def __len__(self) -> int:
        """Return the number of batches of an epoch."""
        return len(self._order)

    def __repr__(self) -> str:
        where = "" if self.device is None else f" on {self.device}"
        return (
            f"DataLoader({self.samples} samples, {len(self)} batches of {self.batch_size}{where})"
        )

    def __iter__(self) -> Iterator[Any]:
        position = self._position
        if position.batch and not position.fresh:
            position.epoch, position.batch = position.epoch + 1, 0
        position.fresh = False
        batches = self._batches(position.epoch, position.batch)
        if self.prefetch:
            batches = ahead(batches, self.prefetch)
        return self._counted(batches, position.epoch, position.batch)

    def _counted(self, batches: Generator[Any], epoch: int, first: int) -> Iterator[Any]:
        position = self._position
        try:
            for i, batch in enumerate(batches, first + 1):
                position.epoch, position.batch = epoch, i
                yield batch
            position.epoch, position.batch = epoch + 1, 0
        finally:
            batches.close()

    def _batches(self, epoch: int, first: int) -> Generator[Any]:
        order, place, share = self._order, self._destination(), self._share
        for i, indices in enumerate(order.batches(epoch)[first:], first):
            mask = part = None
            if order.pad:
                indices, mask = order.filled(indices)
            if share is not None:
                indices, mask, part = share.of(indices, mask)
            batch = self._source.take(indices)
            if self._transform is not None:
                index = 0 if share is None else share.index
                batch = self._transform(order.generator(epoch, i, index), batch)
            if mask is not None:
                batch = MaskedBatch(batch, mask)
            batch = batch if place is None else place(batch)
            yield batch if part is None else part._replace(data=batch)

    def _destination(self) -> Device | None:
        """Return where batches have to be moved, None if they are there."""
        here, masked = self._source.device, self._order.pad
        there = here if self.device is None and masked else self.device
        made = masked or self._transform is not None
        return there if made or there != here else None

    def on_device(self, device: Device) -> DataLoader:
        """Return a loader that moves its batches to a device; both go through the same epochs.

        ``device(loader)`` calls it.
        """
        other = copy.copy(self)
        other.device = device
        return other

    def apart(self) -> DataLoader:
        """Return a loader of the same data that is where this one is, and goes on by itself."""
        other = copy.copy(self)
        other._position = dataclasses.replace(self._position)
        return other

    def shared(self, index: int, count: int) -> DataLoader:
        """Return a loader of one of `count` equal parts of each batch; both go through the epochs.

        Its batches are `BatchPart`. `portanet.distributed.DistributedLoader` calls it.
        """
        other = copy.copy(self)
        other._share = Share(index, count)
        return other

    def state(self) -> dict[str, int | None]:
        """Return where the loader is and what its orders are drawn from, for `restore`."""
        order, position = self._order, self._position
        return {
            "samples": order.samples,
            "batch_size": order.batch_size,
            "entropy": order.entropy,
            "epoch": position.epoch,
            "batch": position.batch,
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go to where a loader of the same data was when `state` was asked for.

        Raises
        ------
        ArgumentError
            If it is the state of a loader with other samples or another size of batches.
        """
        own = self.state()
        if not isinstance(state, Mapping) or set(state) != set(own):
            raise ArgumentError(f"restore: state is what loader.state() gave: got {shown(state)}")
        entropy = state["entropy"]
        if entropy is not None:
            entropy = checks.integer("entropy", entropy, 0)
        found = {name: checks.integer(name, state[name], 0) for name in own if name != "entropy"}
        for name in ("samples", "batch_size"):
            if found[name] != own[name]:
                raise ArgumentError(
                    f"restore: the state of a loader with the same {name}: {found[name]} != "
                    f"{own[name]}"
                )
        if (entropy is None) is not (own["entropy"] is None) or found["batch"] > len(self):
            raise ArgumentError(f"restore: the state of a loader of this kind: got {shown(state)}")
        position = self._position
        position.order = dataclasses.replace(position.order, entropy=entropy)
        position.epoch, position.batch, position.fresh = found["epoch"], found["batch"], True
