"""Batches of which not all samples count."""

from __future__ import annotations

from typing import Any, NamedTuple

from portanet.checks import rank_at_least, require_array, same_device, shape_of
from portanet.errors import DTypeError
from portanet.interface import array_namespace, dtype_name


class MaskedBatch(NamedTuple):
    """A batch filled up to the common size, and which of its samples count.

    What ``DataLoader(..., pad=True)`` gives. A loss object, the metrics of `portanet.training.fit`
    and `portanet.training.evaluate` leave out what the mask excludes; a loss of your own takes it
    apart itself, ``(x, y), mask = data``, and has `portanet.losses.Loss.masked`.

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


def check_mask(prediction: Any, mask: Any) -> None:
    """The mask says of each sample of a prediction whether it counts."""
    require_array("mask", mask)
    if not array_namespace(prediction, mask).isdtype(mask.dtype, "bool"):
        raise DTypeError(f"mask.dtype is bool: got {dtype_name(mask)}")
    rank_at_least("prediction", prediction, 1)
    shape_of("mask", mask, tuple(prediction.shape[:1]), "prediction.shape[:1], the samples")
    same_device("mask", mask, "prediction", prediction)


def of_samples(xp: Any, mask: Any, x: Any) -> Any:
    """Return a mask with as many axes as an array that has the samples along its first one."""
    return xp.reshape(mask, (-1,) + (1,) * (len(x.shape) - 1))


def filled(xp: Any, x: Any, mask: Any) -> Any:
    """Return an array in which the samples that do not count are like the first one that does."""
    if tuple(x.shape[:1]) != tuple(mask.shape) or 0 in x.shape:
        return x
    known = xp.argmax(xp.astype(mask, xp.int32), axis=0, keepdims=True)
    return xp.where(of_samples(xp, mask, x), x, xp.take(x, known, axis=0))
