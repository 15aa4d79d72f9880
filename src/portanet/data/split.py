"""Parts of a dataset."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from portanet import checks
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
    parts = np.split(_order(samples, rng), np.cumsum(counts)[:-1])
    return tuple(_part(data, part) for part in parts)


def k_folds(data: Any, k: int = 5, *, rng: Any = None) -> Iterator[tuple[Any, Any]]:
    """Split arrays or a dataset `k` times for cross-validation: each sample is held out once.

    Parameters
    ----------
    data : array, tuple or dict of arrays, or dataset
        As for `DataLoader`.
    k : int, default 5
        From 2 to the number of samples.
    rng : int or numpy.random.Generator, optional
        What decides which sample goes where. Without it each part is a stretch of the samples.

    Yields
    ------
    train, held_out : arrays like `data`, or datasets
        Parts that are held out differ by at most one sample in length.

    Raises
    ------
    HyperparameterError
        If `k` is out of range.

    Examples
    --------
    >>> import numpy as np
    >>> import portanet as pn
    >>> for train, held_out in pn.data.k_folds(np.arange(5), 2):
    ...     print(train, held_out)
    [3 4] [0 1 2]
    [0 1 2] [3 4]
    """
    samples = len(source_of(data, None))
    k = checks.integer("k_folds: k", k, 2)
    if k > samples:
        raise HyperparameterError(f"k_folds: k <= the number of samples: {k} > {samples}")
    folds = np.array_split(_order(samples, rng), k)
    return (
        (_part(data, np.concatenate([*folds[:i], *folds[i + 1 :]])), _part(data, folds[i]))
        for i in range(k)
    )


def _order(samples: int, rng: Any) -> np.ndarray:
    entropy = entropy_of(rng)
    if entropy is None:
        return np.arange(samples)
    return np.random.default_rng(entropy).permutation(samples)


def _part(data: Any, numbers: np.ndarray) -> Any:
    return ArraySource(data).take(numbers) if is_tree_of_arrays(data) else Subset(data, numbers)


def _count(share: Any, samples: int) -> int:
    if isinstance(share, bool) or not isinstance(share, int | float | np.number):
        raise ArgumentError(f"split: a share is a number: got {shown(share)}")
    if isinstance(share, int | np.integer):
        return checks.integer("split: a number of samples", share, 1)
    if not 0 < share < 1:
        raise HyperparameterError(f"split: 0 < share < 1: got {shown(share)}")
    return round(share * samples)
