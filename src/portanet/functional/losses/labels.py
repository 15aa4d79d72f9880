"""Classes as numbers and as distributions."""

from __future__ import annotations

import math
from typing import Any

from portanet.functional.indices import as_indices, indices_below
from portanet.functional.kernel import kernel
from portanet.interface import array_namespace, backend_of, device_of


def one_hot(labels: Any, classes: int, *, axis: int = -1, dtype: object = "float32") -> Any:
    """Return a one at the place of each label along a new axis, and zeros elsewhere.

    Parameters
    ----------
    labels : array of int, any shape
        From 0 to ``classes - 1``; any other number gives zeros alone.
    classes : int
        The size of the new axis.
    axis : int, default -1
        Where the new axis stands in the result.
    dtype : str or dtype, default "float32"

    Returns
    -------
    array
        Of rank ``labels.ndim + 1``.

    Examples
    --------
    >>> import numpy as np
    >>> from portanet import functional
    >>> functional.one_hot(np.asarray([2, 0]), 3)
    array([[0., 0., 1.],
           [1., 0., 0.]], dtype=float32)
    """
    backend = backend_of(labels)
    own = is_own(labels, classes, axis)
    return backend.xp.astype(own, backend.dtype(dtype) if isinstance(dtype, str) else dtype)


def label_smoothing(target: Any, smoothing: float, *, axis: int | None = -1) -> Any:
    """Mix distributions with the uniform one: ``(1 - smoothing) * target + smoothing / K`` [1]_.

    Parameters
    ----------
    target : array
        Probabilities, of `K` classes along `axis`.
    smoothing : float
        From 0 to 1.
    axis : int or None, default -1
        The axis of the classes. With None each entry is the probability of one of two classes.

    Returns
    -------
    array
        The shape and dtype of `target`.

    References
    ----------
    .. [1] C. Szegedy, V. Vanhoucke, S. Ioffe, J. Shlens, Z. Wojna, "Rethinking the Inception
       Architecture for Computer Vision", CVPR 2016.

    Examples
    --------
    >>> import numpy as np
    >>> from portanet import functional
    >>> functional.label_smoothing(np.asarray([[0.0, 1.0, 0.0, 0.0]]), 0.2)
    array([[0.05, 0.85, 0.05, 0.05]])
    """
    classes = 2 if axis is None else target.shape[axis]
    return (1.0 - smoothing) * target + smoothing / classes


def is_own(labels: Any, classes: int, axis: int) -> Any:
    """Say of each class, along a new axis, whether it is that of the label."""
    xp = array_namespace(labels)
    labels = as_indices(labels)
    columns = xp.arange(classes, dtype=labels.dtype, device=device_of(labels))
    after = labels.ndim - axis % (labels.ndim + 1)
    return xp.expand_dims(labels, axis=axis) == xp.reshape(columns, (classes, *(1,) * after))


@kernel
def of_labels(x: Any, labels: Any, classes: int, axis: int) -> Any:
    """Return the entry of the class of each label, any number for what is none.

    What has no axis of the samples, as weights of classes, has one entry for all.
    """
    xp = array_namespace(x, labels)
    return xp.sum(xp.where(is_own(labels, classes, axis), x, 0.0), axis=axis)


def checked_labels(labels: Any, classes: int) -> Any:
    """Return labels as indices, which are refused where there is no such class."""
    return indices_below(labels, size=classes, name="target", size_name="classes")


@kernel
def of_classes(values: Any, labels: Any, classes: int) -> Any:
    """Return the values of samples, NaN where a label that is no class came past the check."""
    return array_namespace(values, labels).where(is_class(labels, classes), values, math.nan)


def is_class(labels: Any, classes: int) -> Any:
    """Say of each label whether there is such a class."""
    xp = array_namespace(labels)
    labels = as_indices(labels)
    return xp.logical_and(labels >= 0, labels < classes)
