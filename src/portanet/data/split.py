"""Parts of a dataset."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from portanet.data.order import entropy_of
from portanet.data.source import ArraySource, is_tree_of_arrays, source_of
from portanet.errors import ArgumentError, HyperparameterError, shown


class Subset:
    """Some samples of a dataset, which is itself a dataset."""

    def __init__(self, dataset: Any, numbers: np.ndarray) -> None:
        self._dataset = dataset
        self._numbers = numbers

    def __len__(self) -> int:
        return len(self._numbers)

    def __getitem__(self, i: int) -> Any:
        return self._dataset[int(self._numbers[i])]

    def __repr__(self) -> str:
        return f"Subset({len(self)} of {len(self._dataset)} samples)"


def split(data: Any, *shares: float, rng: Any = None) -> tuple[Any, ...]:
    """Split arrays or a dataset into parts that share no sample.

    Parameters
    ----------
    data : array, tuple or dict of arrays, or dataset
        As for `DataLoader`.
    *shares : float
        How much each part but the last one gets: between 0 and 1 a share of all samples, or an
        integer, a number of samples. The last part gets the rest.
    rng : int or numpy.random.Generator, optional
        What decides which sample goes where. Without it the samples stay in their order.

    Returns
    -------
    tuple
        One more part than there are shares: arrays like `data`, or datasets.

    Raises
    ------
    HyperparameterError
        If a share is neither, or a part would be without samples.

    Examples
    --------
    >>> import numpy as np
    >>> import portanet as pn
    >>> train, validation = pn.data.split((np.arange(8), np.arange(8.0)), 0.75, rng=0)
    >>> train[0], validation[0]
    (array([2, 4, 3, 6, 5, 0]), array([1, 7]))
    """
    source = source_of(data, None)
    samples = len(source)
    counts = [_count(share, samples) for share in shares]
    counts.append(samples - sum(counts))
    if not shares or min(counts) < 1:
        raise HyperparameterError(
            f"split: each part has at least one sample: {shown(shares)} of {samples} samples "
            f"leave {counts}"
        )
    entropy = entropy_of(rng)
    order = np.arange(samples)
    if entropy is not None:
        order = np.random.default_rng(entropy).permutation(samples)
    parts: Sequence[np.ndarray] = np.split(order, np.cumsum(counts)[:-1])
    if is_tree_of_arrays(data):
        return tuple(ArraySource(data).take(part) for part in parts)
    return tuple(Subset(data, part) for part in parts)


def _count(share: Any, samples: int) -> int:
    if isinstance(share, bool) or not isinstance(share, int | float | np.number):
        raise ArgumentError(f"split: a share is a number: got {shown(share)}")
    if isinstance(share, int | np.integer):
        return int(share)
    if not 0 < share < 1:
        raise HyperparameterError(f"split: 0 < share < 1: got {shown(share)}")
    return round(share * samples)
