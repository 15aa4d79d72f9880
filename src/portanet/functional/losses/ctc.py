"""The probability of labels that are not aligned with the steps of a sequence."""

from __future__ import annotations

import math
from typing import Any

from portanet.control import scan
from portanet.functional.activations.softmax import log_softmax, logsumexp
from portanet.functional.gradient import stop_gradient
from portanet.functional.half import in_float32
from portanet.functional.indices import as_indices, indices_below
from portanet.functional.kernel import kernel
from portanet.functional.losses.labels import is_class
from portanet.interface import array_namespace, device_of


@in_float32
@kernel
def ctc_loss(scores: Any, labels: Any, steps: Any = None, /, *, blank: int = 0) -> Any:
    """Minus the logarithm of the probability of sequences of labels [1]_.

    The forward recursion runs over the logarithms, once over the steps, for all samples together.

    Parameters
    ----------
    scores : array, shape (N, T, classes)
        Scores before a softmax over the classes, or logarithms of probabilities. `T` is at least 1.
    labels : array of int, shape (N, length)
        Filled up at the end with negative numbers.
    steps : array of int, shape (N,), optional
        How many of the `T` steps of each sample count, from 1 to `T`; by default all.
    blank : int, default 0
        The class that stands for nothing.

    Returns
    -------
    array, shape (N,)
        Infinite, with derivatives of 0, where no path gives the labels; NaN where a label is the
        blank, or stands behind a negative number.

    Raises
    ------
    IndexRangeError
        If a label is above the last class, or `steps` out of its range, also in the replay of a
        recorded program. Where looking at them is not free, on accelerators and in what torch or
        JAX compiled, the loss of the sample is NaN.

    References
    ----------
    .. [1] A. Graves, S. Fernández, F. Gomez, J. Schmidhuber, "Connectionist Temporal
       Classification: Labelling Unsegmented Sequence Data with Recurrent Neural Networks",
       ICML 2006.

    Examples
    --------
    >>> import numpy as np
    >>> from portanet import functional
    >>> scores = np.zeros((1, 2, 2))
    >>> np.exp(-functional.ctc_loss(scores, np.asarray([[1]])))
    array([0.75])
    """
    xp = array_namespace(scores, labels)
    n, length, classes = scores.shape
    labels = as_indices(labels)
    filling = labels < 0
    known = xp.where(filling, 0, labels)
    known = indices_below(known, size=classes, name="labels", size_name="classes")
    labels = xp.where(filling, labels, known)
    if steps is not None:  # what comes after the last step may be NaN
        last = as_indices(steps) - 1
        last = indices_below(last, size=length, name="steps - 1", size_name="scores.shape[1]")
        steps = last + 1
        counted = xp.expand_dims(_arange(xp, length, steps) < steps[:, None], axis=2)
        scores = xp.where(counted, scores, 0.0)
    blank %= classes
    # Far below every true value, and far from overflow in sums over all steps.
    impossible = max(float(xp.finfo(scores.dtype).min) / 8.0, -1e300)
    least = impossible / length

    path = _with_blanks(xp, labels, classes, blank)
    size = path.shape[1]
    wide = xp.broadcast_to(xp.expand_dims(path, axis=1), (n, length, size))
    emitted = xp.maximum(xp.take_along_axis(log_softmax(scores), wide, axis=2), least)
    places = xp.expand_dims(_arange(xp, size, path), axis=0)
    skips = _may_skip(xp, path, blank)
    border = xp.full((n, 2), impossible, dtype=scores.dtype, device=device_of(path))

    def step(alpha: Any, row: tuple[Any, Any]) -> tuple[Any, tuple[()]]:
        emission, t = row
        padded = xp.concat([border, alpha], axis=1)
        skipped = xp.where(skips, padded[:, :-2], impossible)
        moved = _add_up(xp, alpha, padded[:, 1:-1], skipped) + emission
        if steps is not None:
            moved = xp.where(xp.expand_dims(t < steps, axis=1), moved, alpha)
        return moved, ()

    emitted = xp.permute_dims(emitted, (1, 0, 2))
    alpha = xp.where(places < 2, emitted[0, ...], impossible)
    alpha, _ = scan(step, alpha, (emitted[1:, ...], _arange(xp, length, path)[1:]))

    counts = xp.sum(xp.astype(labels >= 0, path.dtype), axis=1, keepdims=True)
    ends = xp.logical_or(places == 2 * counts, places == 2 * counts - 1)
    total = logsumexp(xp.where(ends, alpha, impossible), axis=1)
    loss = xp.where(total < least / 2.0, math.inf, -total)
    valid = _are_valid(xp, labels, counts, classes, blank)
    if steps is not None:
        valid = xp.logical_and(valid, xp.logical_and(steps >= 1, steps <= length))
    return xp.where(valid, loss, math.nan)


def _with_blanks(xp: Any, labels: Any, classes: int, blank: int) -> Any:
    """Put a blank before, between and after the labels; one in the place of what is no label."""
    blanks = xp.full_like(labels, blank)
    pairs = xp.stack([blanks, xp.where(is_class(labels, classes), labels, blanks)], axis=2)
    pairs = xp.reshape(pairs, (labels.shape[0], 2 * labels.shape[1]))
    one = xp.full((labels.shape[0], 1), blank, dtype=labels.dtype, device=device_of(labels))
    return xp.concat([pairs, one], axis=1)


def _may_skip(xp: Any, path: Any, blank: int) -> Any:
    """Whether a path may go to a place from the one before the last: between unlike labels."""
    two = xp.full((path.shape[0], 2), blank, dtype=path.dtype, device=device_of(path))
    before = xp.concat([two, path], axis=1)[:, : path.shape[1]]
    return xp.logical_and(path != blank, path != before)


def _add_up(xp: Any, a: Any, b: Any, c: Any) -> Any:
    """Return the logarithm of the sum of three arrays given by their logarithms."""
    top = stop_gradient(xp.maximum(xp.maximum(a, b), c))
    return top + xp.log(xp.exp(a - top) + xp.exp(b - top) + xp.exp(c - top))


def _are_valid(xp: Any, labels: Any, counts: Any, classes: int, blank: int) -> Any:
    """Whether each sample has only labels first and only negative numbers then."""
    known = xp.logical_and(is_class(labels, classes), labels != blank)
    filled = xp.expand_dims(_arange(xp, labels.shape[1], labels), axis=0) >= counts
    return xp.all(xp.logical_or(known, filled), axis=1)


def _arange(xp: Any, n: int, like: Any) -> Any:
    return xp.arange(n, dtype=like.dtype, device=device_of(like))
