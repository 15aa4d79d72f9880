"""A batch that is filled up, and how many samples a batch has."""

from __future__ import annotations

from typing import Any, NamedTuple

from portanet import trees
from portanet.errors import ShapeError
from portanet.interface import is_array


class MaskedBatch(NamedTuple):
    """A batch filled up to the common size, and which of its samples count.

    What ``DataLoader(..., pad=True)`` gives. A loss object given to `portanet.training.fit`, its
    metrics and `portanet.training.evaluate` leave out what the mask excludes; a loss of your own
    takes it apart itself: ``(x, y), mask = data``.

    Attributes
    ----------
    data : tree
        The batch. Its surplus samples repeat the others.
    mask : array of bool, of shape (N,)
        False for the surplus samples.

    Examples
    --------
    >>> import numpy as np
    >>> import portanet as pn
    >>> loader = pn.data.DataLoader(np.arange(5), 3, pad=True)
    >>> for batch in loader:
    ...     print(batch.data, batch.mask)
    [0 1 2] [ True  True  True]
    [3 4 3] [ True  True False]
    """

    data: Any
    mask: Any


def taken_apart(batch: Any) -> tuple[Any, Any]:
    """Return the data of a batch and its mask, None if all samples count."""
    return batch if isinstance(batch, MaskedBatch) else (batch, None)


def common_length(tree: Any, what: str) -> int:
    """Return how many samples all arrays of a tree have along their first axis."""
    found: tuple[str, int] | None = None
    for path, x in trees.flatten_with_paths(tree):
        name = f"{what}.{path}" if path else what
        if not is_array(x):
            continue
        if not x.shape:
            raise ShapeError(f"{name}.ndim >= 1: 0 < 1: the samples are the first axis")
        if found is not None and x.shape[0] != found[1]:
            raise ShapeError(
                f"as many samples in each array: {name}.shape[0] == {found[0]}.shape[0]: "
                f"{x.shape[0]} != {found[1]}"
            )
        found = found or (name, int(x.shape[0]))
    if found is None:
        raise ShapeError(f"{what} has at least one array: got none")
    return found[1]
