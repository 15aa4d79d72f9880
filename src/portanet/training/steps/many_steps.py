"""Many steps of training in one call."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np

from portanet import trees
from portanet.data.source import is_tree_of_arrays
from portanet.errors import ArgumentError, ShapeError, shown
from portanet.interface import array_namespace
from portanet.training.state import TrainState
from portanet.training.steps.compiled import END, replayed_steps
from portanet.training.steps.gradients import Array, Loss
from portanet.training.steps.step import train_step


def train_steps(
    loss: Loss,
    batches: Any,
    ts: TrainState,
    *,
    ad: Any = None,
    jit: bool | None = None,
    donate: bool = False,
) -> tuple[Array, TrainState]:
    """Take a step of training with each of several batches.

    The numbers are those of as many calls of `train_step`, to the last bit. Of a small model, whose
    step takes microseconds, a call costs as much as the step itself: here there is one call.

    Parameters
    ----------
    loss, ts, ad, jit, donate
        As in `train_step`. With `donate` the memory of `ts` is given away in the first step.
    batches : iterable of batches, or array, tuple or dict of arrays
        What `loss` expects as data, once for each step. Arrays, and tuples and dicts of nothing but
        arrays, are taken apart along their first axis: the batch of step i is ``x[i]`` of each.
        Anything else is iterated once: a list, a `portanet.data.DataLoader`, a generator.

    Returns
    -------
    values : array
        The losses before each update, of shape ``(steps,)``.
    ts : TrainState
        The training state after the last update.

    Raises
    ------
    ArgumentError
        If `batches` cannot be iterated, or holds nothing.
    ShapeError
        If the arrays that are taken apart have no first axis, or first axes of several lengths.
    DTypeError, ShapeError, TracedValueError
        As in `train_step`.

    Notes
    -----
    What `loss` returns third is dropped: call `train_step` where it is wanted. If a step raises,
    the training state is the caller's own, before the first step.

    Examples
    --------
    Fit y = 2x by 50 steps on the same three points:

    >>> import numpy as np
    >>> import portanet as pn
    >>> model = pn.Dense(1, 1)
    >>> ps, st = pn.setup(np.random.default_rng(0), model, dtype="float64")
    >>> ts = pn.training.TrainState(model, ps, st, pn.optimizers.SGD(0.5))
    >>> x = np.asarray([[-1.0], [0.0], [1.0]])
    >>> values, ts = pn.training.train_steps(pn.MSELoss(), [(x, 2.0 * x)] * 50, ts)
    >>> values.shape, ts.step, bool(values[-1] < 1e-6)
    ((50,), 50, True)
    """
    given = _iterated(batches)
    values: list[Any] = []
    replays = ad is None and jit is not False
    data = next(given, END)
    while data is not END:
        value, _, ts = train_step(loss, data, ts, ad=ad, jit=jit, donate=donate)
        values.append(value)
        if replays:
            ts, data = replayed_steps(loss, given, ts, values, slowly=jit is True, donate=donate)
        else:
            data = next(given, END)
    if not values:
        raise ArgumentError("train_steps: batches holds at least one batch: got none")
    return _stacked(values), ts


def _iterated(batches: Any) -> Iterator[Any]:
    if is_tree_of_arrays(batches):
        return _taken_apart(batches)
    if not isinstance(batches, Iterable) or isinstance(batches, str | bytes | Mapping):
        raise ArgumentError(
            f"train_steps: batches is an array, a tuple or dict of arrays whose first axis counts "
            f"the steps, or an iterable of batches: got {shown(batches)}"
        )
    return iter(batches)


def _taken_apart(tree: Any) -> Iterator[Any]:
    arrays, structure = trees.flatten(tree)
    lengths = [x.shape[0] if x.ndim else None for x in arrays]
    if None in lengths or len(set(lengths)) > 1:
        raise ShapeError(
            f"train_steps: the first axis of all arrays in batches counts the steps: their shapes "
            f"are {[tuple(x.shape) for x in arrays]}: give one batch for all steps as a list, "
            f"[batch] * steps"
        )
    return (trees.unflatten(structure, [x[i, ...] for x in arrays]) for i in range(lengths[0] or 0))


def _stacked(values: list[Any]) -> Array:
    if all(isinstance(x, np.generic) for x in values):
        return np.asarray(values)  # in a fifth of the time of stacking them
    return array_namespace(values[0]).stack(values)
